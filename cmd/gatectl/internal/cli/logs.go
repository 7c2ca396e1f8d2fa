package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

const (
	// followLimit is how much of what is there a follower shows at first, where
	// nothing else is asked for, as tail does.
	followLimit     = 10
	defaultInterval = 2 * time.Second
	minInterval     = time.Second
)

type logsFlags struct {
	pageFlags
	spanFlags
	key, endpoint    string
	keyType, outcome choice
	follow           bool
	interval         time.Duration
	output           *choice
}

func (p *program) logsCommand() *cobra.Command {
	var f logsFlags
	cmd := &cobra.Command{
		Use:     "logs",
		Aliases: []string{"log"},
		Short:   "list what became of requests, newest first, or follow them",
		Long: `List what became of requests, newest first. Requests have a line of their own as
the configuration of otlpgate says: those that were refused, unless it says
otherwise. The others are counted: those of a minute that are alike are one record,
whose time has no seconds.

With --follow the newest are shown, the oldest of them first, and then what comes,
until ^C: lines at once, and counts when their minute is over and they grow no more.
Where otlpgate cannot be asked for a while, nothing is lost. With -o json each
record is a line.`,
		Example: `  gatectl logs --outcome refused --since 1h
  gatectl logs --type none --all -o json
  gatectl logs --key key_6xkq2m7vdn3wslc4hpab --follow
  gatectl logs --follow --limit 0 --endpoint traces -o json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.checkGiven(cmd); err != nil {
				return err
			}
			if f.follow {
				return p.followLogs(cmd.Context(), &f)
			}
			return p.listLogs(cmd.Context(), &f)
		},
	}
	f.register(p, cmd)
	return cmd
}

func (f *logsFlags) register(p *program, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "only requests with the key with this `ID`")
	choiceFlag(cmd, &f.keyType, "type", "", "only requests with keys of this type; none: without a key that exists", "user", "system", "none")
	choiceFlag(cmd, &f.outcome, "outcome", "", "only requests that were taken over, turned away, or let in and came to nothing", "accepted", "refused", "failed")
	flags.StringVar(&f.endpoint, "endpoint", "", "only requests to this `ENDPOINT`: a signal such as traces, or a call such as \"GET /api/v1/api-keys\"")
	f.spanFlags.register(cmd, "only from `WHEN` on")
	f.pageFlags.register(cmd, "records")
	flags.BoolVarP(&f.follow, "follow", "f", false, "show the newest records (10, unless --limit says otherwise) and then what comes")
	flags.DurationVar(&f.interval, "interval", defaultInterval, "how often --follow looks")
	completeFlagWith(cmd, "key", p.completeKeyFlag)
	completeFlag(cmd, "endpoint", []string{"traces", "metrics", "logs", "profiles", "telemetry"})
	f.output = outputFlag(cmd)
	exclusive(cmd, "key", "type")
	exclusive(cmd, "follow", "until")
}

func (f *logsFlags) checkGiven(cmd *cobra.Command) error {
	for flag, value := range map[string]string{"key": f.key, "endpoint": f.endpoint} {
		if cmd.Flags().Changed(flag) && value == "" {
			return emptyFlag(cmd, flag)
		}
	}
	if f.key != "" {
		if err := checkID(f.key, "key"); err != nil {
			return err
		}
	}
	if !f.follow {
		if cmd.Flags().Changed("interval") {
			return misuse("add --follow, or leave it out", "--interval: has no meaning without --follow")
		}
		return f.check("records")
	}
	if !cmd.Flags().Changed("limit") {
		f.limit = followLimit
	}
	if f.limit < 0 {
		return misuse("use --limit 0 to see what comes alone, and --all to see all that is there first", "--limit %d: must be at least 0", f.limit)
	}
	return checkInterval(f.interval)
}

// checkInterval keeps gatectl from being a burden.
func checkInterval(interval time.Duration) error {
	if interval < minInterval {
		return misuse("leave it out for "+defaultInterval.String(), "--interval %s: must be at least %s", interval, minInterval)
	}
	return nil
}

const logsOperation = "list access log"

func (p *program) listLogs(ctx context.Context, f *logsFlags) error {
	from, to, err := f.parse(p.now())
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	l, err := f.fetch(c, logsOperation, func(size int, cursor *string) (*http.Response, error) {
		return f.get(ctx, c, &accessPage{from: from, to: to, size: size, cursor: cursor})
	})
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		return p.printListing(l)
	}
	return p.printLogTable(l)
}

// accessPage is a page of the access log to ask for.
type accessPage struct {
	from, to *time.Time
	size     int
	cursor   *string
}

// get asks for what the flags select.
func (f *logsFlags) get(ctx context.Context, c *connection, page *accessPage) (*http.Response, error) {
	outcome, endpoint := optional[client.AccessOutcome](f.outcome.value), optional[string](f.endpoint)
	if f.key != "" {
		return c.api.ListKeyAccess(ctx, f.key, &client.ListKeyAccessParams{
			Outcome: outcome, Endpoint: endpoint, From: page.from, To: page.to, Limit: &page.size, Cursor: page.cursor,
		})
	}
	return c.api.ListAccess(ctx, &client.ListAccessParams{
		Type: optional[client.AccessKeyType](f.keyType.value), Outcome: outcome, Endpoint: endpoint,
		From: page.from, To: page.to, Limit: &page.size, Cursor: page.cursor,
	})
}

func (p *program) printLogTable(l listing) error {
	records, err := recordsOf[client.AccessRecord](l)
	if err != nil {
		return err
	}
	rows := [][]cell{logHeading()}
	for i := range records {
		rows = append(rows, logRow(&records[i]))
	}
	if err := p.printTable(l, rows, "records", "no record matches"); err != nil {
		return err
	}
	if l.Dropped != nil {
		p.noteDropped(*l.Dropped)
	}
	return nil
}

// noteDropped tells of lines that are not in the log, of which there may be
// none.
func (p *program) noteDropped(lines int64) {
	if lines > 0 {
		p.note("%s had no room in the access log since otlpgate started: what they would tell of is counted", plural(lines, "line"))
	}
}
