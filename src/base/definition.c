/*
 * definition.c
 *		Definitions that are texts and have versions: state machines and
 *		tables of return codes.
 *
 * A definition is refused as a whole or stands as a whole, for good: a new
 * version is a new row, the newest is in force.  A new version says what it
 * changes: each change tightens, loosens or is neutral.  Loosening needs a
 * reason, which is kept with the version, together with its author and time.
 *
 * A new version takes the lock on the name EXCLUSIVE and waits for other
 * definitions of that name; readers that it has to wait for hold the lock
 * SHARE.  A session that waits for EXCLUSIVE stops every reader behind it, so
 * only an owner who has something to change takes it: strangers are refused,
 * and a text that is in force already is answered, without the lock.  Two
 * first versions are told apart by the primary key.
 *
 * The lock is on a hash of the name.  A name with the hash of another one is
 * refused when it is first defined; otherwise somebody could compute such a
 * name and lock the other definition by defining it.
 *
 * The newest version is read with a snapshot of its own, not the
 * transaction's: a transaction that began before a definition is judged by it
 * all the same, at every isolation level.
 *
 * A new name needs an admin (grant_admin), so that names are not taken by
 * those they do not belong to.  Whoever defined version 1 owns the
 * definition; the next needs a member of that role.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/approval.h"
#include "base/change.h"
#include "base/definition.h"
#include "base/identity.h"
#include "base/named.h"
#include "base/right.h"

/* columns of a table of definitions */
#define Anum_definition_name	1
#define Anum_definition_version	2
#define Anum_definition_text	3
#define Anum_definition_owner	4

/* So many faults or changes fit a DETAIL; rows have them all. */
#define SHOWN	20

static const char *const effect_names[] = {"neutral", "tightens", "loosens"};

/* ---------- rows ---------- */

/* The OID of the table */
Oid
idem_definition_table(const IdemDefinitionKind *kind)
{
	return idem_extension_relation(kind->table);
}

/* What the lock on a name is on */
uint32
idem_definition_hash(const char *name)
{
	return hash_bytes((const unsigned char *) name, strlen(name));
}

/*
 * Lock a name until the end of the transaction.  Invalidations sent by whoever
 * held the lock before are absorbed.
 */
void
idem_definition_lock(const IdemDefinitionKind *kind, const char *name,
					 LOCKMODE mode)
{
	LockDatabaseObject(idem_definition_table(kind),
					   idem_definition_hash(name), 0, mode);
}

static Datum
attribute(const IdemDefinitionKind *kind, HeapTuple tuple, int number,
		  TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, number, desc, &isnull);

	if (isnull)
		elog(ERROR, "column %d of idem.%s is null", number, kind->table);
	return value;
}

/*
 * 42710 if the name would share the lock of another one.  A name whose first
 * version has not committed is not seen.
 */
static void
check_lock(const IdemDefinitionKind *kind, const char *name)
{
	Relation	table = table_open(idem_definition_table(kind),
								   AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0,
										  NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *other =
			TextDatumGetCString(attribute(kind, tuple, Anum_definition_name,
										  RelationGetDescr(table)));

		if (idem_definition_hash(other) == idem_definition_hash(name) &&
			strcmp(other, name) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("%s \"%s\" cannot be locked apart from %s \"%s\"",
							kind->noun, name, kind->noun, other),
					 errdetail("The hashes of the two names are equal."),
					 errhint("Choose another name.")));
		pfree(other);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

static void
read_row(const IdemDefinitionKind *kind, HeapTuple tuple, TupleDesc desc,
		 IdemDefinition *row)
{
	Datum		owner = attribute(kind, tuple, Anum_definition_owner, desc);

	row->version = DatumGetInt32(attribute(kind, tuple,
										   Anum_definition_version, desc));
	row->text = TextDatumGetCString(attribute(kind, tuple,
											  Anum_definition_text, desc));
	row->owner = pstrdup(NameStr(*DatumGetName(owner)));
}

/*
 * One version of a name, or with version 0 the newest, as committed now or
 * written by this transaction.  False if there is none.
 */
bool
idem_definition_fetch(const IdemDefinitionKind *kind, const char *name,
					  int version, IdemDefinition *row)
{
	Relation	table = table_open(idem_definition_table(kind),
								   AccessShareLock);
	Relation	index = index_open(idem_extension_relation(kind->index),
								   AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyEntryInitialize(&keys[0], 0, Anum_definition_name,
						   BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(name));
	ScanKeyInit(&keys[1], Anum_definition_version, BTEqualStrategyNumber,
				F_INT4EQ, Int32GetDatum(version));
	scan = systable_beginscan_ordered(table, index, NULL,
									  version == 0 ? 1 : 2, keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
		read_row(kind, tuple, RelationGetDescr(table), row);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* 42704; version 0 is the definition as a whole. */
void
idem_definition_missing(const IdemDefinitionKind *kind, const char *name,
						int version)
{
	if (version != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of %s \"%s\" does not exist",
						version, kind->noun, name)));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s \"%s\" does not exist", kind->noun, name),
			 errhint("Define it with idem.%s.", kind->define)));
}

static const char *
fault_text(const IdemFault *fault)
{
	if (fault->line == 0)
		return fault->reason;
	if (fault->column == 0)
		return psprintf("line %d: %s", fault->line, fault->reason);
	return psprintf("line %d, column %d: %s", fault->line, fault->column,
					fault->reason);
}

/* 42P17: the table was written by other means than these functions. */
void
idem_definition_unreadable(const IdemDefinitionKind *kind, const char *name,
						   int version, const IdemFault *fault)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("version %d of %s \"%s\" cannot be read: %s",
					version, kind->noun, name, fault_text(fault))));
}

/* 42501 unless the caller is a member of the role that owns the definition. */
void
idem_definition_check_owner(const IdemDefinitionKind *kind, const char *name,
							const IdemDefinition *row)
{
	Oid			owner = get_role_oid(row->owner, true);

	if (OidIsValid(owner) ? !has_privs_of_role(GetUserId(), owner) :
		!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of %s \"%s\"", kind->noun, name)));
}

/* ---------- faults ---------- */

/* By place; two faults of one place by kind and words, so that tests agree. */
static int
fault_order(const void *a, const void *b)
{
	const IdemFault *fa = a;
	const IdemFault *fb = b;
	int			order = (fa->line > fb->line) - (fa->line < fb->line);

	if (order == 0)
		order = (fa->column > fb->column) - (fa->column < fb->column);
	if (order == 0)
		order = strcmp(fa->kind, fb->kind);
	return order != 0 ? order : strcmp(fa->reason, fb->reason);
}

/* Put faults in the order in which they are shown. */
void
idem_faults_sort(IdemFault *faults, int count)
{
	qsort(faults, count, sizeof(IdemFault), fault_order);
}

/*
 * A row for each fault: line, its column if the result has one more than
 * three, problem, message.  What is not known is null.
 */
void
idem_faults_put(ReturnSetInfo *rsinfo, const IdemFault *faults, int count)
{
	bool		placed = rsinfo->setDesc->natts > 3;
	int			i;

	for (i = 0; i < count; i++)
	{
		Datum		values[4] = {0};
		bool		nulls[4] = {false};
		int			n = 0;

		nulls[n] = faults[i].line == 0;
		values[n++] = Int32GetDatum(faults[i].line);
		if (placed)
		{
			nulls[n] = faults[i].column == 0;
			values[n++] = Int32GetDatum(faults[i].column);
		}
		values[n++] = CStringGetTextDatum(faults[i].kind);
		values[n++] = CStringGetTextDatum(faults[i].reason);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* 42P17 with the first fault in the message and the others in DETAIL. */
void
idem_faults_refuse(const IdemDefinitionKind *kind, const char *name,
				   const IdemFault *faults, int count)
{
	StringInfoData detail;
	int			i;

	initStringInfo(&detail);
	for (i = 1; i < count && i < SHOWN; i++)
		appendStringInfo(&detail, "%s%s", i > 1 ? "\n" : "",
						 fault_text(&faults[i]));
	if (count > SHOWN)
		appendStringInfo(&detail, "\nand %d more", count - SHOWN);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("%s \"%s\" cannot be defined: %s",
					kind->noun, name, fault_text(&faults[0])),
			 count > 1 ? errdetail_internal("%s", detail.data) : 0,
			 errhint("idem.%s shows what is wrong with %s.",
					 kind->check, kind->article)));
}

/* ---------- changes ---------- */

/* One more change, at the end of the list; left stays the caller's. */
List *
idem_change_note(List *changes, IdemEffect effect, const char *left,
				 const char *format,...)
{
	IdemChange *change = palloc0(sizeof(IdemChange));
	char		words[IDEM_REASON_BYTES];
	va_list		args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	change->effect = effect;
	change->text = pstrdup(words);
	change->left = left;
	return lappend(changes, change);
}

/* All texts of one effect, a line each */
static char *
changes_text(List *changes, IdemEffect effect)
{
	StringInfoData buf;
	ListCell   *lc;
	int			n = 0;

	initStringInfo(&buf);
	foreach(lc, changes)
	{
		IdemChange *change = lfirst(lc);

		if (change->effect != effect)
			continue;
		if (n++ < SHOWN)
			appendStringInfo(&buf, "%s%s", n > 1 ? "\n" : "", change->text);
	}
	if (n > SHOWN)
		appendStringInfo(&buf, "\nand %d more", n - SHOWN);
	return buf.data;
}

static void
put_changes(ReturnSetInfo *rsinfo, int version, List *changes)
{
	ListCell   *lc;

	foreach(lc, changes)
	{
		IdemChange *change = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = Int32GetDatum(version);
		values[1] = CStringGetTextDatum(effect_names[change->effect]);
		values[2] = CStringGetTextDatum(change->text);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

static void
check_loosening(const IdemDefining *d, List *changes)
{
	char	   *detail = changes_text(changes, IDEM_LOOSENS);

	if (detail[0] != '\0' && d->loosen == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("the new version of %s \"%s\" loosens it",
						d->kind->noun, d->name),
				 errdetail_internal("%s", detail),
				 errhint("If that is meant, give loosen => 'reason'.")));
}

/* ---------- making one ---------- */

/*
 * Write the row, as the owner of the table; false if the version is there
 * already, written by somebody who was faster.  Connected to SPI.
 */
static bool
insert_row(const IdemDefining *d, int version, const char *owner)
{
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, NAMEOID,
	TEXTOID, TEXTOID};
	Datum		values[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};
	Relation	table = table_open(idem_definition_table(d->kind),
								   RowExclusiveLock);
	IdemIdentity saved;
	bool		inserted;

	values[0] = CStringGetTextDatum(d->name);
	values[1] = Int32GetDatum(version);
	values[2] = PointerGetDatum(d->source);
	values[3] = DirectFunctionCall1(namein, CStringGetDatum(owner));
	values[4] = d->loosen ? CStringGetTextDatum(d->loosen) : (Datum) 0;
	nulls[4] = d->loosen ? ' ' : 'n';
	values[5] = d->tighten ? CStringGetTextDatum(d->tighten) : (Datum) 0;
	nulls[5] = d->tighten ? ' ' : 'n';
	idem_become_declarer(table, &saved);
	if (SPI_execute_with_args(psprintf("INSERT INTO idem.%s"
									   " (name, version, %s, owner, loosen, tighten)"
									   " VALUES ($1, $2, $3, $4, $5, $6)"
									   " ON CONFLICT DO NOTHING",
									   d->kind->table, d->kind->column),
							  6, types, values, nulls, false,
							  0) != SPI_OK_INSERT)
		elog(ERROR, "could not write idem.%s", d->kind->table);
	inserted = SPI_processed == 1;
	idem_restore_identity(&saved);
	table_close(table, NoLock);
	return inserted;
}

/* The same, and the entry of the change log with the reasons. */
static bool
insert_version(const IdemDefining *d, int version, const char *owner)
{
	if (!insert_row(d, version, owner))
		return false;
	idem_log_change("declared", d->kind->log_kind, InvalidOid, d->name,
					list_make1(psprintf("version=%d", version)),
					d->loosen && d->tighten ?
					psprintf("%s; %s", d->loosen, d->tighten) :
					d->loosen ? d->loosen : d->tighten);
	return true;
}

/*
 * Names are shared by all, so only an admin may define a new one: otherwise
 * anybody could take "payment" before those who need it.
 */
static void
check_may_name(const IdemDefining *d)
{
	if (!idem_may_call("create_scope"))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to define a new %s \"%s\"",
						d->kind->noun, d->name),
				 errhint("idem.grant_admin lets a role define new %ss; the owner of a %s defines its next versions without it.",
						 d->kind->word, d->kind->word)));
}

/*
 * The first version of a name: its definer is its owner.  NIL if somebody else
 * was faster, for whose commit this waits.  The primary key decides; there is
 * nothing to lock, since nobody can have read the name before.
 */
static List *
make_first(const IdemDefining *d)
{
	check_may_name(d);
	check_lock(d->kind, d->name);
	if (!insert_version(d, 1, GetUserNameFromId(GetUserId(), false)))
		return NIL;
	return idem_change_note(NIL, IDEM_NEUTRAL, NULL, "%s", d->summary(d));
}

/* The next one: what it changes has to be allowed by rows and reasons. */
static List *
make_next(IdemDefining *d, const IdemDefinition *last)
{
	List	   *changes = d->compare(d, last);

	if (changes == NIL)
		changes = idem_change_note(NIL, IDEM_NEUTRAL, NULL, "only words are changed");
	check_loosening(d, changes);
	if (d->admit)
		d->admit(d, last, changes);
	if (changes_text(changes, IDEM_LOOSENS)[0] != '\0')
		idem_need_approval("loosen",
						   psprintf("%s \"%s\"", d->kind->noun, d->name),
						   list_make3(psprintf("%d", last->version),
									  text_to_cstring(d->source), d->loosen));
	if (!insert_version(d, last->version + 1, last->owner))
		elog(ERROR, "version %d of %s \"%s\" is there already",
			 last->version + 1, d->kind->noun, d->name);
	return changes;
}

/* Is this the text of the version? */
static bool
is_text_of(const IdemDefinition *row, text *source)
{
	return strlen(row->text) == VARSIZE_ANY_EXHDR(source) &&
		memcmp(row->text, VARDATA_ANY(source), strlen(row->text)) == 0;
}

static List *
leave_unchanged(const IdemDefining *d)
{
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("%s \"%s\" has this text already, skipping",
					d->kind->noun, d->name)));
	return idem_change_note(NIL, IDEM_NEUTRAL, NULL, "unchanged");
}

/*
 * The first version or the next one, whose number *version becomes.  The owner
 * stays the same from version to version.  Connected to SPI.
 */
static List *
make_version(IdemDefining *d, int *version)
{
	IdemDefinition row;

	*version = 1;
	while (!idem_definition_fetch(d->kind, d->name, 0, &row))
	{
		List	   *changes = make_first(d);

		if (changes != NIL)
			return changes;
	}
	if (!is_text_of(&row, d->source))
	{
		idem_definition_check_owner(d->kind, d->name, &row);
		idem_definition_lock(d->kind, d->name, ExclusiveLock);
		if (!idem_definition_fetch(d->kind, d->name, 0, &row))
			idem_definition_missing(d->kind, d->name, 0);
	}
	*version = row.version;
	if (is_text_of(&row, d->source))
		return leave_unchanged(d);
	(*version)++;
	return make_next(d, &row);
}

/*
 * Make the definition, whose text was read and found without faults, and put a
 * row for each change.
 */
void
idem_definition_make(IdemDefining *defining, ReturnSetInfo *rsinfo)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	List	   *changes;
	int			version;

	SPI_connect();
	old = MemoryContextSwitchTo(context);
	changes = make_version(defining, &version);
	MemoryContextSwitchTo(old);

	/* in front of SPI_finish: statements of SPI leave us in its memory */
	put_changes(rsinfo, version, changes);
	SPI_finish();
}

/* ---------- calls ---------- */

/* The name in argument n: 22004 if it is null or empty. */
char *
idem_definition_name(const IdemDefinitionKind *kind, FunctionCallInfo fcinfo,
					 int n)
{
	char	   *name = PG_ARGISNULL(n) ? "" :
		text_to_cstring(PG_GETARG_TEXT_PP(n));

	if (strspn(name, " \t\r\n") == strlen(name))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("name of a %s must not be null or empty", kind->noun)));
	return name;
}

/* The text in argument n: 22004 if it is null. */
text *
idem_definition_source(const IdemDefinitionKind *kind, const char *name,
					   FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of %s \"%s\" must not be null",
						kind->column, kind->noun, name)));
	return PG_GETARG_TEXT_PP(n);
}

/* (name, version) -> text: of the version in force if version is null. */
Datum
idem_definition_show(const IdemDefinitionKind *kind, FunctionCallInfo fcinfo)
{
	char	   *name = idem_definition_name(kind, fcinfo, 0);
	int			version = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	IdemDefinition row;

	if (!idem_definition_fetch(kind, name, version, &row))
		idem_definition_missing(kind, name, version);
	PG_RETURN_TEXT_P(cstring_to_text(row.text));
}
