package audit

// The actions of the audit log. Declare and withdraw are those of documents
// that declare records; the others are those of the admin API and of the
// collector itself.
const (
	KeyCreate   = "key.create"
	KeyUpdate   = "key.update"
	KeyRevoke   = "key.revoke"
	KeyRotate   = "key.rotate"
	KeyDeclare  = "key.declare"
	KeyWithdraw = "key.withdraw"

	UserCreate   = "user.create"
	UserUpdate   = "user.update"
	UserDelete   = "user.delete"
	UserDeclare  = "user.declare"
	UserWithdraw = "user.withdraw"

	BackupCreate = "backup.create"

	SessionBegin = "session.begin" // somebody signed in to the pages
	SessionEnd   = "session.end"   // and out again; sessions that end by themselves leave no record
)

// What is recorded only where it was refused: looks into what is not the
// caller's, and calls that change no record by themselves.
const (
	KeyRead          = "key.read"
	KeyIntrospect    = "key.introspect"
	UserRead         = "user.read"
	AuditRead        = "audit.read"
	AccessRead       = "access.read" // usage, access logs and alerts
	DeclarationApply = "declaration.apply"
)
