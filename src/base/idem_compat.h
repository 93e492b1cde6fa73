/*
 * idem_compat.h
 *		What differs between server versions, written as the newest server
 *		has it and made available on the older ones.
 */
#ifndef IDEM_COMPAT_H
#define IDEM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "idem needs PostgreSQL 15 or later"
#endif

/* Amounts are 8 bytes passed by value, their sums and products 16 wide. */
#if SIZEOF_VOID_P < 8 || !defined(HAVE_INT128)
#error "idem needs a server for 64-bit machines, and a compiler with 128-bit integers"
#endif

#include "access/amapi.h"
#include "access/genam.h"
#include "access/tableam.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#else
/* which indexes an update needs, more than yes or no since 16 */
typedef bool TU_UpdateIndexes;
#define TU_None false

/* one function for every kind of object since 16; here for those asked about */
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
static inline bool
object_ownercheck(Oid classid, Oid objectid, Oid roleid)
{
	if (classid == TypeRelationId)
		return pg_type_ownercheck(objectid, roleid);
	if (classid == DatabaseRelationId)
		return pg_database_ownercheck(objectid, roleid);
	return pg_class_ownercheck(objectid, roleid);
}

/* here for functions */
static inline AclResult
object_aclcheck(Oid classid, Oid objectid, Oid roleid, AclMode mode)
{
	return pg_proc_aclcheck(objectid, roleid, mode);
}
#endif

/*
 * Soft errors (16): a caller that wants to know instead of to fail.
 */
#if PG_VERSION_NUM < 160000
#define ereturn(context, dummy_value, ...) \
	do { \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#define range_serialize(type, lower, upper, empty, context) \
	range_serialize(type, lower, upper, empty)
#else
#include "nodes/miscnodes.h"
#endif

/* Index scans are counted for EXPLAIN (18) and take flags (19). */
#if PG_VERSION_NUM < 180000
#define index_beginscan(heap, index, snapshot, instrument, nkeys, norderbys, \
						flags) \
	index_beginscan(heap, index, snapshot, nkeys, norderbys)
#elif PG_VERSION_NUM < 190000
#define index_beginscan(heap, index, snapshot, instrument, nkeys, norderbys, \
						flags) \
	index_beginscan(heap, index, snapshot, instrument, nkeys, norderbys)
#endif

/* So do scans of a table (19). */
#if PG_VERSION_NUM < 190000
#define table_beginscan(rel, snapshot, nkeys, key, flags) \
	table_beginscan(rel, snapshot, nkeys, key)
#endif

/* Updates take options (19). */
#if PG_VERSION_NUM < 190000
#define table_tuple_update(rel, otid, slot, cid, options, snapshot, \
						   crosscheck, wait, failure, lockmode, \
						   update_indexes) \
	table_tuple_update(rel, otid, slot, cid, snapshot, crosscheck, wait, \
					   failure, lockmode, update_indexes)
#endif

/* Does an update need new entries in every index, or only in summarizing ones
 * (16)?  An access method may want to be told that inserting is over (17). */
#if PG_VERSION_NUM < 160000
#define idem_updates_all_indexes(update_indexes) (update_indexes)
#define idem_is_summarizing(index) ((void) (index), false)
#else
#include "access/amapi.h"
#define idem_updates_all_indexes(update_indexes) ((update_indexes) == TU_All)
#define idem_is_summarizing(index) ((index)->rd_indam->amsummarizing)
#endif
#if PG_VERSION_NUM < 170000
#define index_insert_cleanup(index, info) ((void) 0)
#endif

/*
 * New index entries of an updated row: which indexes are meant is known since
 * 16, flags say it since 19.
 */
#if PG_VERSION_NUM < 160000
#define idem_insert_index_tuples(info, slot, estate, which) \
	((void) (which), \
	 (void) ExecInsertIndexTuples(info, slot, estate, true, false, NULL, NIL))
#elif PG_VERSION_NUM < 190000
#define idem_insert_index_tuples(info, slot, estate, which) \
	((void) ExecInsertIndexTuples(info, slot, estate, true, false, NULL, NIL, \
								  (which) == TU_Summarizing))
#else
#define idem_insert_index_tuples(info, slot, estate, which) \
	((void) ExecInsertIndexTuples(info, estate, EIIT_IS_UPDATE | \
								  ((which) == TU_Summarizing ? \
								   EIIT_ONLY_SUMMARIZING : 0), \
								  slot, NIL, NULL))
#endif

/* The index entries of a new row */
#if PG_VERSION_NUM < 160000
#define idem_insert_new_index_tuples(info, slot, estate) \
	((void) ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL))
#elif PG_VERSION_NUM < 190000
#define idem_insert_new_index_tuples(info, slot, estate) \
	((void) ExecInsertIndexTuples(info, slot, estate, false, false, NULL, \
								  NIL, false))
#else
#define idem_insert_new_index_tuples(info, slot, estate) \
	((void) ExecInsertIndexTuples(info, estate, 0, slot, NIL, NULL))
#endif

/*
 * The place of the first table that a plan writes in its range table, below 1
 * if there is none: a list of numbers, and a set of them since 19.
 */
#if PG_VERSION_NUM < 190000
#define idem_first_result_relation(planned) \
	((planned)->resultRelations == NIL ? 0 : \
	 linitial_int((planned)->resultRelations))
#else
#define idem_first_result_relation(planned) \
	bms_next_member((planned)->resultRelationRelids, -1)
#endif

/* A CHECK may be there without being enforced, a column be computed at every
 * look, since 18. */
#if PG_VERSION_NUM < 180000
#define idem_check_enforced(check) ((void) (check), true)
#define idem_has_generated(constr) ((constr)->has_generated_stored)
#else
#define idem_check_enforced(check) ((check)->ccenforced)
#define idem_has_generated(constr) \
	((constr)->has_generated_stored || (constr)->has_generated_virtual)
#endif

/* A minimal tuple may have room in front of it (18). */
#if PG_VERSION_NUM < 180000
#define heap_form_minimal_tuple(desc, values, nulls, extra) \
	heap_form_minimal_tuple(desc, values, nulls)
#endif

/*
 * A foreign key may be one over time, and a NOT NULL may stand although rows
 * from before it are null, since 18.
 */
#if PG_VERSION_NUM < 180000
#define idem_constraint_has_period(con) ((void) (con), false)
#define idem_not_null_validated(relid, attnum) \
	((void) (relid), (void) (attnum), true)
#else
#include "access/htup_details.h"
#include "catalog/pg_constraint.h"
#define idem_constraint_has_period(con) ((con)->conperiod)
static inline bool
idem_not_null_validated(Oid relid, AttrNumber attnum)
{
	HeapTuple	tuple = findNotNullConstraintAttnum(relid, attnum);

	return tuple == NULL ||
		((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
}
#endif

/*
 * Whom the server has authenticated in this session, and how: "method:name",
 * NULL for nobody (16).  Until then a field of the connection, which is where
 * it is with and without GSSAPI and OpenSSL, whose headers are not wanted.
 * For the one file that asks.
 */
#ifdef IDEM_WANTS_SYSTEM_USER
#include "miscadmin.h"
#if PG_VERSION_NUM < 160000
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL
#include "libpq/libpq-be.h"
static inline const char *
GetSystemUser(void)
{
	return MyProcPort == NULL || MyProcPort->authn_id == NULL ? NULL :
		psprintf("%d:%s", (int) MyProcPort->hba->auth_method,
				 MyProcPort->authn_id);
}
#endif
#endif

/* A function that does not come back is marked in front since 18. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* a run of a plan is no longer told whether it is the only one, since 18 */
#if PG_VERSION_NUM >= 180000
#define IDEM_EXECUTOR_RUN_ARGS \
	QueryDesc *query, ScanDirection direction, uint64 count
#define IDEM_EXECUTOR_RUN_VALUES query, direction, count
#else
#define IDEM_EXECUTOR_RUN_ARGS \
	QueryDesc *query, ScanDirection direction, uint64 count, bool once
#define IDEM_EXECUTOR_RUN_VALUES query, direction, count, once
#endif

/* Does what this session writes come from elsewhere?  A struct since 19. */
#include "replication/origin.h"
#if PG_VERSION_NUM < 190000
#define idem_has_replication_origin() \
	(replorigin_session_origin != InvalidRepOriginId && \
	 replorigin_session_origin != DoNotReplicateId)
#else
#define idem_has_replication_origin() \
	(replorigin_xact_state.origin != InvalidReplOriginId && \
	 replorigin_xact_state.origin != DoNotReplicateId)
#endif

#endif							/* IDEM_COMPAT_H */
