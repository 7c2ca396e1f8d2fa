package badgerdb

import (
	"strings"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

type quietLogger struct{ *zap.SugaredLogger }

// NewLogger gives Badger's messages to zap. What Badger calls information is of use
// only to who debugs it.
func NewLogger(l *zap.Logger) badger.Logger {
	return quietLogger{l.Named("badger").WithOptions(zap.AddCallerSkip(1)).Sugar()}
}

func (l quietLogger) Errorf(format string, args ...any) {
	l.SugaredLogger.Errorf(line(format), args...)
}

func (l quietLogger) Warningf(format string, args ...any) {
	l.Warnf(line(format), args...)
}

func (l quietLogger) Infof(format string, args ...any) { l.SugaredLogger.Debugf(line(format), args...) }

func (l quietLogger) Debugf(format string, args ...any) {
	l.SugaredLogger.Debugf(line(format), args...)
}

func line(format string) string { return strings.TrimSpace(format) }
