/*
 * key_table.c
 *		Opening the table of keys that a scope uses.
 *
 * idem.anchor holds the keys of effects inside, idem.reservation those of
 * effects outside.
 *
 * A call opens its scope and the table of its keys together: the scope that is
 * returned is the one whose table is open.  The lock on the table keeps it so.
 * A scope is dropped under SHARE ROW EXCLUSIVE on both tables of keys, and its
 * effect is never altered; so once ROW EXCLUSIVE on one of them is ours, and
 * news has been read since, a scope that belongs to that table stays until our
 * transaction ends.  Under ACCESS SHARE it may be dropped meanwhile, and the
 * answer is one of the time when it was opened.
 *
 * Rows are written straight on the table and index access methods, by no plan
 * and no executor (key_anchor.c).  So a table is judged when it is opened: an
 * administrator may add plain indexes of any kind, which are kept, and
 * columns, which are null in new rows and keep their value in those that are
 * changed.  Anything that needs the executor (a trigger on rows, a unique
 * index, a column that must not be null or has a default) is refused by the
 * doctor, and a table that has it is refused here.
 *
 * Locks: those of the caller's lock mode, until the end of the transaction.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "base/forget.h"
#include "base/latest.h"
#include "key/key_inner.h"

/* A plain unique btree on the digest: ours, or its copy during REINDEX? */
static bool
is_digest_index(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indisunique && index->rd_index->indimmediate &&
		index->rd_index->indnatts == 1 &&
		index->rd_index->indkey.values[0] == Anum_anchor_digest &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

/* The index of what is due: reservations only.  Not unique. */
static bool
is_due_index(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID &&
		!index->rd_index->indisunique &&
		index->rd_index->indnatts == 2 &&
		index->rd_index->indkey.values[0] == Anum_anchor_scope &&
		index->rd_index->indkey.values[1] == Anum_reservation_due_at;
}

/* The index of digests: sightings only.  Not unique. */
static bool
is_sighting_index(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID &&
		!index->rd_index->indisunique &&
		index->rd_index->indnatts == 2 &&
		index->rd_index->indkey.values[0] == Anum_sighting_digest &&
		index->rd_index->indkey.values[1] == Anum_sighting_first_seen &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

static void
refuse_table(Relation table, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has %s, and cannot take claims",
					RelationGetRelationName(table), what),
			 errhint("idem.doctor() tells what has to be undone.")));
}

/* 55000 for columns with which rows cannot be written here. */
static void
check_columns(Relation table, int natts)
{
	TupleDesc	desc = RelationGetDescr(table);
	int			i;

	if (desc->natts < natts)
		refuse_table(table, "lost columns");
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (i < natts ? att->attisdropped :
			(att->attnotnull || att->atthasdef || att->attidentity != '\0') &&
			!att->attisdropped)
			refuse_table(table, i < natts ? "lost columns" :
						 "a column that is not null or has a default");
	}
}

/* 55000 for a trigger that does not fire for what is written here. */
static void
check_triggers(Relation table)
{
	int			i;

	for (i = 0; i < table->trigdesc->numtriggers; i++)
	{
		if (table->trigdesc->triggers[i].tgtype &
			(TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE))
			refuse_table(table, "a trigger");
	}
}

/*
 * What a session knows of a table of keys: that claims can be kept in it, and
 * the valid unique index that decides.  Forgotten when the table changes.
 */
typedef struct Judged
{
	Oid			relid;			/* InvalidOid: nothing is known */
	Oid			arbiter;
} Judged;

static Judged judged[3];		/* idem.anchor, idem.reservation,
								 * idem.sighting */
static uint64 news = 0;			/* counts what was told of tables */

static void
forget_judged(Datum arg, Oid relid)
{
	int			i;

	news++;
	for (i = 0; i < (int) lengthof(judged); i++)
	{
		if (!OidIsValid(relid) || relid == judged[i].relid ||
			relid == judged[i].arbiter)
			judged[i].relid = InvalidOid;
	}
}

/* An index that is not ours: 55000 if it could refuse a row. */
static void
check_other_index(Relation table, Relation index)
{
	if (index->rd_index->indisunique || index->rd_index->indisexclusion)
		refuse_table(table, "another unique index");
}

/* Is an index the one that is looked up in, or its copy during REINDEX? */
static bool
is_arbiter(const IdemAnchor *anchor, Relation index)
{
	return anchor->natts == Natts_sighting ? is_sighting_index(index) :
		is_digest_index(index);
}

/* Is an index ours, or its copy during REINDEX? */
static bool
is_ours(const IdemAnchor *anchor, Relation index)
{
	return is_arbiter(anchor, index) ||
		(anchor->natts == Natts_reservation && is_due_index(index));
}

/*
 * Look whether claims can be kept in a table that is open: 55000 if not.  What
 * is found is remembered, unless something was told of tables meanwhile.
 */
static void
judge_table(IdemAnchor *anchor, Judged *known)
{
	uint64		before = news;
	List	   *oids;
	ListCell   *lc;

	idem_forget_with(forget_judged);
	check_columns(anchor->table, anchor->natts);
	if (anchor->table->trigdesc != NULL)
		check_triggers(anchor->table);
	known->arbiter = InvalidOid;
	oids = RelationGetIndexList(anchor->table);
	foreach(lc, oids)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (!is_ours(anchor, index))
			check_other_index(anchor->table, index);
		else if (index->rd_index->indisvalid && is_arbiter(anchor, index))
			known->arbiter = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(oids);
	if (!OidIsValid(known->arbiter))
		refuse_table(anchor->table, anchor->natts == Natts_sighting ?
					 "no valid index of digests" : "no valid unique index");
	known->relid = news != before ? InvalidOid :
		RelationGetRelid(anchor->table);
}

/*
 * Open a table and its arbiter, to write or only to read; 55000 if claims
 * cannot be kept in them.
 */
static void
open_table(IdemAnchor *anchor, Oid relid, int natts, LOCKMODE lockmode)
{
	Judged	   *known = natts == Natts_sighting ? &judged[2] :
		&judged[natts == Natts_reservation];

	anchor->table = table_open(relid, lockmode);
	anchor->lockmode = lockmode;
	anchor->indexes = NIL;
	anchor->others = NIL;
	anchor->natts = natts;
	anchor->probe.context = CurrentMemoryContext;
	anchor->probe.scan = NULL;
	anchor->sightings = NULL;
	if (known->relid != relid)
		judge_table(anchor, known);
	anchor->arbiter = index_open(known->arbiter, lockmode);
}

/*
 * Open all indexes, unless they are: a call that finds its key needs only the
 * arbiter.
 */
void
idem_key_open_indexes(IdemAnchor *anchor)
{
	MemoryContext old;
	List	   *oids;
	ListCell   *lc;

	if (anchor->indexes != NIL)
		return;
	old = MemoryContextSwitchTo(anchor->probe.context);
	oids = RelationGetIndexList(anchor->table);
	foreach(lc, oids)
	{
		Oid			relid = lfirst_oid(lc);
		Relation	index = relid == RelationGetRelid(anchor->arbiter) ?
			anchor->arbiter : index_open(relid, anchor->lockmode);

		if (is_ours(anchor, index))
			anchor->indexes = lappend(anchor->indexes, index);
		else
			anchor->others = lappend(anchor->others, index);
	}
	list_free(oids);
	MemoryContextSwitchTo(old);
}

/* The table of claims whose effect is inside. */
void
idem_key_open_anchors(IdemAnchor *anchor, LOCKMODE lockmode)
{
	open_table(anchor, idem_key_anchor_relid(), Natts_anchor, lockmode);
}

/* The same of claims whose effect is outside. */
static void
open_reservations(IdemAnchor *anchor, LOCKMODE lockmode)
{
	open_table(anchor, idem_key_reservation_relid(), Natts_reservation,
			   lockmode);
}

/*
 * The table of sightings beside a table of anchors that is open to be written,
 * opened when it is asked for first, and closed with it.
 */
IdemAnchor *
idem_key_open_sightings(IdemAnchor *anchor)
{
	MemoryContext old;

	if (anchor->sightings != NULL)
		return anchor->sightings;
	old = MemoryContextSwitchTo(anchor->probe.context);
	anchor->sightings = palloc(sizeof(IdemAnchor));
	open_table(anchor->sightings, idem_key_sighting_relid(), Natts_sighting,
			   RowExclusiveLock);
	MemoryContextSwitchTo(old);
	return anchor->sightings;
}

/* Locks stay until the end of the transaction. */
void
idem_key_close(IdemAnchor *anchor)
{
	IdemProbe  *probe = &anchor->probe;
	ListCell   *lc;

	if (probe->scan != NULL)
	{
		index_endscan(probe->scan);
		ExecDropSingleTupleTableSlot(probe->slot);
	}
	foreach(lc, anchor->indexes)
	{
		if (lfirst(lc) != anchor->arbiter)
			index_close((Relation) lfirst(lc), NoLock);
	}
	foreach(lc, anchor->others)
		index_close((Relation) lfirst(lc), NoLock);
	if (anchor->sightings != NULL)
		idem_key_close(anchor->sightings);
	index_close(anchor->arbiter, NoLock);
	list_free(anchor->indexes);
	list_free(anchor->others);
	table_close(anchor->table, NoLock);
}

/* Close tables to which nothing was done, and give the locks back. */
static void
unlock(IdemAnchor *anchor, LOCKMODE lockmode)
{
	Oid			relid = RelationGetRelid(anchor->table);

	Assert(anchor->probe.scan == NULL && anchor->indexes == NIL);
	UnlockRelationOid(RelationGetRelid(anchor->arbiter), lockmode);
	idem_key_close(anchor);
	UnlockRelationOid(relid, lockmode);
}

static void
open_keys(IdemAnchor *keys, bool outside, LOCKMODE lockmode)
{
	if (outside)
		open_reservations(keys, lockmode);
	else
		idem_key_open_anchors(keys, lockmode);
}

/*
 * The scope of this name, and the table of its keys, open and locked: errors
 * as idem_key_scope_get.  What was the table of a scope that was dropped, and
 * made anew for the other effect, while we waited is unlocked again, so that
 * two calls cannot wait for each other.
 */
const IdemScope *
idem_key_open(text *name, LOCKMODE lockmode, IdemAnchor *keys)
{
	for (;;)
	{
		const IdemScope *scope = idem_key_scope_get(name);
		bool		outside = scope->outside;

		open_keys(keys, outside, lockmode);
		/* a lock that was held before has brought none */
		idem_accept_news();
		scope = idem_key_scope_get(name);
		if (likely(scope->outside == outside))
			return scope;
		unlock(keys, lockmode);
	}
}
