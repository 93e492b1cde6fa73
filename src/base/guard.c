/*
 * guard.c
 *		Functions that the trigger function of every guard needs at run time.
 *
 * A guard decides in an AFTER ROW trigger, on the row that is stored: a
 * BEFORE trigger sees a row that a later one may still change, and fires for
 * an upsert before it is known whether it inserts.  Its settings stand in the
 * trigger's own arguments (settings.c), so that \d shows them, pg_dump carries
 * them and clones on partitions have them.
 *
 * Settings are read once a backend and kept by trigger OID.  A relcache
 * invalidation of the table (or of the table of definitions that the settings
 * named) only marks them; the next look-up reads them anew.  Settings that
 * were replaced live until the end of the transaction, because an outer
 * trigger call may still use them.
 *
 * Shown by sql/base_settings.sql and
 * test/isolation/specs/base_settings.spec.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "replication/worker_internal.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/arrive.h"
#include "base/column.h"
#include "base/forget.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/kind.h"
#include "base/latest.h"
#include "base/moved.h"
#include "base/named.h"
#include "base/right.h"
#include "base/row.h"
#include "base/settings_known.h"
#include "base/settings_trigger.h"

/* The settings of one trigger, as its room compiled them. */
typedef struct GuardEntry
{
	Oid			trigger;		/* hash key, must be first */
	Oid			relid;			/* the table, whose changes invalidate */
	Oid			also;			/* table of definitions, or InvalidOid */
	bool		valid;			/* cleared by the invalidation callback */
	void	   *settings;		/* the room's struct */
	MemoryContext context;		/* where it lives */
} GuardEntry;

static HTAB *guard_entries = NULL;

/* The entry asked for last: a bulk statement asks for the same every row. */
static GuardEntry *last_entry = NULL;

/* Mark what was read from relid; InvalidOid means everything. */
static void
guard_invalidate(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	GuardEntry *entry;

	hash_seq_init(&status, guard_entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || entry->relid == relid || entry->also == relid)
			entry->valid = false;
	}
}

static void
guard_entries_init(void)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(GuardEntry);
	guard_entries = hash_create("idem guards", 16, &ctl,
								HASH_ELEM | HASH_BLOBS);
	idem_forget_with(guard_invalidate);
}

/* 39P01 unless the trigger has the arguments that its function knows. */
static void
check_arguments(const IdemGuardCall *call)
{
	const IdemGuardKind *kind = idem_kind_of_function(call->trigger->tgfoid);
	char	   *problem = kind == NULL ? NULL :
		idem_settings_problem(idem_settings_of_trigger(call->trigger),
							  kind->settings);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" %s",
						call->trigger->tgname,
						RelationGetRelationName(call->rel), problem),
				 errhint("Put guards on a table with the idem.guard_... functions."),
				 errtableconstraint(call->rel, call->trigger->tgname)));
}

/*
 * The settings of the trigger that fired.  They stay readable until the end
 * of the transaction, whatever is redefined meanwhile.
 */
void *
idem_guard_settings(const IdemGuardCall *call, IdemGuardCompile compile)
{
	GuardEntry *entry;
	MemoryContext context;
	MemoryContext old;
	bool		found;
	void	   *settings;

	if (likely(last_entry != NULL &&
			   last_entry->trigger == call->trigger->tgoid &&
			   last_entry->valid && last_entry->settings != NULL))
		return last_entry->settings;
	if (guard_entries == NULL)
		guard_entries_init();
	entry = hash_search(guard_entries, &call->trigger->tgoid, HASH_ENTER,
						&found);
	last_entry = entry;			/* entries stay where they are */
	if (found && entry->valid && entry->settings)
		return entry->settings;
	if (found && entry->settings)
		MemoryContextSetParent(entry->context, TopTransactionContext);

	/*
	 * Valid before compiling, so that an invalidation which arrives while the
	 * room reads definitions is not lost; without settings if it fails.
	 */
	entry->valid = true;
	entry->settings = NULL;
	entry->also = InvalidOid;
	entry->relid = RelationGetRelid(call->rel);
	check_arguments(call);
	context = AllocSetContextCreate(CurrentMemoryContext, "idem guard",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);

	/*
	 * Definitions are read as the catalogs are, as they are now.  The
	 * snapshot of a REPEATABLE READ transaction may be older than the
	 * invalidation that brought us here, and no other would come to correct
	 * what it makes us remember.
	 */
	settings = compile(call->rel, call->trigger, &entry->also);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->context = context;
	entry->settings = settings;
	return settings;
}

/*
 * Open what a caller named by a regclass, to read: 42P01 if there is no such
 * relation, or no longer.
 */
Relation
idem_open_named(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	return rel;
}

/* A table, index or sequence of the extension by its name: 42P01. */
Oid
idem_extension_relation(const char *name)
{
	Oid			relid = get_relname_relid(name,
										  get_namespace_oid("idem", false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"idem.%s\" does not exist", name)));
	return relid;
}

/*
 * Is this the apply worker of logical replication?  Its rows were judged at
 * their origin, and the parent's running total is replicated, too.
 *
 * pglogical and what descends from it apply in workers of their own, and copy
 * in ordinary sessions.  Both have a replication origin, which takes a right
 * that only superusers have unless it is granted; of a superuser it is
 * believed.
 */
bool
idem_in_apply_worker(void)
{
	return IsLogicalWorker() ||
		(unlikely(idem_has_replication_origin()) &&
		 superuser_arg(GetSessionUserId()));
}

/*
 * In an apply worker: is this table replicated from the origin, too, as with
 * a publication of all tables?  Then what a guard would write there arrives
 * without it.
 */
bool
idem_rows_arrive(Oid relid)
{
	return MySubscription != NULL &&
		SearchSysCacheExists2(SUBSCRIPTIONRELMAP, ObjectIdGetDatum(relid),
							  ObjectIdGetDatum(MySubscription->oid));
}

static void
check_protocol(FunctionCallInfo fcinfo, const char *function)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager",
						function)));
	if (!TRIGGER_FIRED_AFTER(trigdata->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER ROW", function),
				 errhint("Put guards on a table with the idem.guard_... functions.")));
}

/*
 * Open the call of a guard's trigger function.  False: there is nothing to
 * judge yet, the row is on its way to another partition.
 *
 * The row is judged by what is declared now: a transaction that has locked
 * the table before would not hear of a change of definitions otherwise.
 */
bool
idem_guard_call(FunctionCallInfo fcinfo, const char *function,
				IdemGuardCall *call)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	HeapTupleHeader old;

	check_protocol(fcinfo, function);
	idem_accept_news();
	call->trigdata = trigdata;
	call->trigger = trigdata->tg_trigger;
	call->rel = trigdata->tg_relation;
	call->before = call->after = NULL;
	call->moved = false;

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		call->after = trigdata->tg_trigslot;
		call->before = idem_moved_take(trigdata);
		call->moved = call->before != NULL;
	}
	else if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		call->before = trigdata->tg_trigslot;
		call->after = trigdata->tg_newslot;
	}
	else
	{
		call->before = trigdata->tg_trigslot;
		old = trigdata->tg_trigtuple->t_data;
		call->moved = HeapTupleHeaderIndicatesMovedPartitions(old);
		if (call->moved && TRIGGER_FOR_INSERT(call->trigger->tgtype))
		{
			idem_moved_park(trigdata);
			return false;
		}
	}
	return true;
}

/* The number of a user column, which must exist. */
AttrNumber
idem_column_number(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist",
					name, RelationGetRelationName(rel)),
			 errtable(rel)));
	return InvalidAttrNumber;	/* keep the compiler quiet */
}

/*
 * The columns of the primary key, all of them; NULL if there is none.
 *
 * That includes columns that are there only because the server demands every
 * partition key inside the primary key: a date that only files a row looks
 * like a date or a tenant that is part of its name, and a name must not
 * change.  A guard that judges one of the columns itself, a state, takes it
 * out.
 */
Bitmapset *
idem_row_key_columns(Relation rel)
{
	Bitmapset  *offset;
	Bitmapset  *key = NULL;
	int			i = -1;

	offset = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	while ((i = bms_next_member(offset, i)) >= 0)
		key = bms_add_member(key, i + FirstLowInvalidHeapAttributeNumber);
	bms_free(offset);
	return key;
}

/*
 * Is the column stored the same in both rows, to the byte?  Both have the
 * row type of rel.
 */
bool
idem_same_image(Relation rel, AttrNumber attnum,
				TupleTableSlot *a, TupleTableSlot *b)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	bool		a_null;
	bool		b_null;
	Datum		a_value = slot_getattr(a, attnum, &a_null);
	Datum		b_value = slot_getattr(b, attnum, &b_null);

	if (a_null || b_null)
		return a_null && b_null;
	return datum_image_eq(a_value, b_value, att->attbyval, att->attlen);
}

/*
 * May a message show the values of the row that was written?  What an UPDATE
 * has left as it was is not the writer's.
 */
bool
idem_row_is_known(const IdemGuardCall *call)
{
	return IDEM_CALL_IS_INSERT(call) || idem_may_read(call->rel);
}

/* A value as its type writes it. */
char *
idem_value_text(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

/* The same of a column of a row; NULL for null. */
char *
idem_column_text(Relation rel, AttrNumber attnum, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	return isnull ? NULL :
		idem_value_text(TupleDescAttr(RelationGetDescr(rel),
									  attnum - 1)->atttypid, value);
}

/* The values of a key as messages show it: 4711, or (7, 4711). */
char *
idem_key_text(List *texts)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, texts)
		appendStringInfo(&buf, "%s%s", lc != list_head(texts) ? ", " : "",
						 lfirst(lc) != NULL ? (char *) lfirst(lc) : "null");
	return list_length(texts) > 1 ? psprintf("(%s)", buf.data) : buf.data;
}

/*
 * The primary key of a row as text: 4711, or (7, 2026-11-22) in the order of
 * the key, which is the same in every partition; the order of the columns is
 * not.  Empty without a primary key.
 */
char *
idem_row_key(Relation rel, TupleTableSlot *slot)
{
	List	   *texts = NIL;
	Relation	index;
	int			i;

	list_free(RelationGetIndexList(rel));	/* finds rd_pkindex */
	if (!OidIsValid(rel->rd_pkindex))
		return pstrdup("");
	index = index_open(rel->rd_pkindex, AccessShareLock);
	for (i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		texts = lappend(texts,
						idem_column_text(rel, index->rd_index->indkey.values[i],
										 slot));
	index_close(index, AccessShareLock);
	return idem_key_text(texts);
}

/*
 * " 4711" for a message; nothing for a table without a primary key and to
 * someone who may not read the row.
 */
const char *
idem_readable_key(Relation rel, TupleTableSlot *slot)
{
	const char *key = idem_may_read(rel) ? idem_row_key(rel, slot) : "";

	return *key ? psprintf(" %s", key) : "";
}

/*
 * A guarded row keeps its primary key; key comes from idem_row_key_columns,
 * less the column whose changes the guard itself judges.
 */
void
idem_refuse_key_change(const IdemGuardCall *call, Bitmapset *key)
{
	int			i = -1;

	while ((i = bms_next_member(key, i)) >= 0)
	{
		if (!idem_same_image(call->rel, i, call->before, call->after))
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_KEPT_ROW),
					 errmsg("primary key of row%s of table \"%s\" cannot be changed",
							idem_readable_key(call->rel, call->before),
							RelationGetRelationName(call->rel)),
					 errhint("A guarded row keeps its primary key for good."),
					 errtablecol(call->rel, i),
					 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
										call->trigger->tgname)));
	}
}

/* A guarded row is not deleted. */
void
idem_refuse_delete(const IdemGuardCall *call)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_KEPT_ROW),
			 errmsg("row%s of table \"%s\" cannot be deleted",
					idem_readable_key(call->rel, call->before),
					RelationGetRelationName(call->rel)),
			 errhint("A guarded row stays: record what happened to it in its state."),
			 errtableconstraint(call->rel, call->trigger->tgname)));
}

/*
 * invalidate_definitions() -> trigger
 *
 * After any statement that changes a table of definitions every backend
 * forgets what it compiled from it.
 */
PG_FUNCTION_INFO_V1(idem_invalidate_definitions);
Datum
idem_invalidate_definitions(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired FOR EACH STATEMENT",
						"idem.invalidate_definitions")));
	CacheInvalidateRelcache(trigdata->tg_relation);
	return PointerGetDatum(NULL);
}
