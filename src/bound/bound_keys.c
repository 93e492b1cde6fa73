/*
 * bound_keys.c
 *		A table of the user's that holds idempotency keys.
 *
 * Where a table of the extension is no use (one table on each node of a
 * distributed engine, keys that belong to a tenant's partition), keys stand in
 * a table of the user's:
 *
 *		INSERT INTO request_key ... ON CONFLICT DO NOTHING RETURNING true
 *
 * answers whether the key is granted.  The unique index of that table decides
 * the race, as it does without idem; this trigger keeps what the index alone
 * does not: keys are ones that a claim would take, rows and keys stay, the
 * request stays as it was recorded, a response is given once, and where that
 * is asked for, before the commit.  A guard on the table of the effect
 * (bound.c) asks for keys that this transaction was granted, and those are
 * remembered here as a claim is (key_taken.c).
 *
 * The stored row is judged, AFTER ROW, however it was written.  Nothing is
 * locked.  A repeat with another request is found by a separate look before the
 * insert (bound_repeat.c).
 *
 * Keys of a shard count as those of the distributed table, by whose name a
 * guard on a shard of the effects knows them: it lies on the same node.
 *
 * An apply worker does not judge new rows and remembers none of them: they
 * were judged at their origin.  What stays, stays there, too.
 *
 * Costs for a new row two SHA-256 and one for each field of the request.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"

#include "base/arrive.h"
#include "base/citus.h"
#include "base/column.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/moved.h"
#include "base/right.h"
#include "base/row.h"
#include "base/settings.h"
#include "base/settings_trigger.h"
#include "base/settings_write.h"
#include "bound/bound_keys.h"
#include "key/key_request.h"
#include "key/key_taken.h"

/*
 * A table by the name that a guard has of it, schema.table, without anybody's
 * rights; InvalidOid if there is none, or it is no such name.
 */
Oid
idem_bound_keys_relid(const char *name)
{
	List	   *names;
	Oid			schema;

	if (!SplitIdentifierString(pstrdup(name), '.', &names) ||
		list_length(names) != 2)
		return InvalidOid;
	schema = get_namespace_oid(linitial(names), true);
	return OidIsValid(schema) ?
		get_relname_relid(lsecond(names), schema) : InvalidOid;
}

/*
 * Does a table of keys belong to somebody else than the table of the effects?
 * A guard has the name of it, and a table of that name that anybody else made,
 * after a rename, lets no row in.  Whoever has the rights of the owner of the
 * effects is nobody else, nor is a role that this owner is a member of.
 */
bool
idem_bound_keys_foreign(Oid keys, Oid relid)
{
	Oid			owner = idem_owner_of(keys);
	Oid			ours = idem_owner_of(relid);

	return !has_privs_of_role(owner, ours) &&
		!is_member_of_role_nosuper(ours, owner);
}

/* A column by the setting that names it; 0: it is not there. */
static AttrNumber
setting_column(Relation rel, List *settings, const char *name)
{
	const char *column = idem_setting(settings, name);

	return column != NULL ? idem_column_number(rel, column) : 0;
}

/* 39P01 for a request that is no jsonb: it would be read as one. */
static void
check_request(Relation rel, AttrNumber attnum)
{
	if (attnum != 0 &&
		getBaseType(TupleDescAttr(RelationGetDescr(rel),
								  attnum - 1)->atttypid) != JSONBOID)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("request of table \"%s\" is not of type jsonb",
						RelationGetRelationName(rel)),
				 errtablecol(rel, attnum)));
}

/*
 * The settings of a table of keys, in current memory: key={tenant,key},
 * request=request, fields={payer,amount}, response=response,
 * completion=required, charset=any; all but the key may lack.
 */
BoundTable *
idem_bound_table_read(Relation rel, List *settings)
{
	const char *charset = idem_setting(settings, "charset");
	BoundTable *table = palloc0(sizeof(BoundTable));

	table->relid = idem_citus_shell(idem_root_relid(rel));
	idem_bound_key_compile(rel, idem_setting_list(settings, "key"),
						   &table->key);
	table->request = setting_column(rel, settings, "request");
	check_request(rel, table->request);
	table->response = setting_column(rel, settings, "response");
	table->required = table->response != 0 &&
		idem_setting(settings, "completion") != NULL;
	idem_key_form_of_table(get_rel_name(table->relid),
						   charset != NULL && strcmp(charset, "any") == 0,
						   idem_setting_list(settings, "fields"),
						   &table->form);
	return table;
}

/*
 * The same of the trigger that decides, for which one index has to decide in
 * the whole table who has a key: 39P01 (IdemGuardCompile).
 */
static void *
compile_settings(Relation rel, Trigger *trigger, Oid *also)
{
	List	   *settings = idem_settings_of_trigger(trigger);
	char	   *name = pstrdup(trigger->tgname);
	BoundTable *table = idem_bound_table_read(rel, settings);
	List	   *columns = idem_setting_list(settings, "key");

	if (!OidIsValid(idem_bound_arbiter_named(idem_root_relid(rel), columns,
											 NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" finds no unique constraint on exactly %s",
						name, RelationGetRelationName(rel),
						idem_list_text(columns)),
				 errhint("Without it a key is granted more than once."),
				 errtable(rel)));
	return table;
}

/*
 * What stands for a key of a table where the keys of this transaction are
 * remembered.  No scope has the id 0, and no two tables the same number, so it
 * is that of no other key.
 */
void
idem_bound_table_digest(Oid table, const text *key, pg_uuid_t *digest)
{
	uint32		part;

	idem_key_digest(0, key, digest);
	memcpy(&part, digest->data + UUID_LEN - sizeof(part), sizeof(part));
	part ^= (uint32) table;
	memcpy(digest->data + UUID_LEN - sizeof(part), &part, sizeof(part));
}

/* The request of a row, or NULL. */
Jsonb *
idem_bound_request_of(const BoundTable *table, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		request = slot_getattr(slot, table->request, &isnull);

	return isnull ? NULL : DatumGetJsonbP(request);
}

/*
 * A key that a claim would take, with a request that has the fields: the
 * transaction was granted it.  22I01, 22023.
 */
static void
grant_key(const IdemGuardCall *call, const BoundTable *table)
{
	text	   *key = idem_bound_key_of(&table->key, call->rel, call->after);
	pg_uuid_t	digest;

	idem_key_check(&table->form, key);
	if (table->request != 0)
		(void) idem_key_fingerprint(&table->form,
									idem_bound_request_of(table, call->after),
									NULL);
	idem_bound_table_digest(table->relid, key, &digest);
	idem_key_note_taken(&digest);
	idem_key_note_granted(&digest);
	if (table->required && slot_attisnull(call->after, table->response))
		idem_bound_require_response(&digest, table->form.name, key);
}

/* 23I07 for a response that was there; the first one completes the key. */
static void
judge_response(const IdemGuardCall *call, const BoundTable *table)
{
	text	   *key;
	pg_uuid_t	digest;

	if (!slot_attisnull(call->before, table->response))
		idem_bound_refuse_changed(call, table->response,
								  "It takes one value, once: what was answered stays answered.");
	else if (table->required &&
			 !slot_attisnull(call->after, table->response))
	{
		key = idem_bound_key_of(&table->key, call->rel, call->after);
		idem_bound_table_digest(table->relid, key, &digest);
		idem_bound_note_response(&digest);
	}
}

/* 23I07 if something changed that stays. */
static void
judge_update(const IdemGuardCall *call, const BoundTable *table)
{
	idem_bound_refuse_other_key(call, &table->key,
								"It is part of an idempotency key.");
	if (table->request != 0)
		idem_bound_refuse_changed(call, table->request,
								  "It is the request that the key was granted for.");
	if (table->response != 0)
		judge_response(call, table);
}

pg_noreturn static void
refuse_delete(const IdemGuardCall *call)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_KEPT_ROW),
			 errmsg("row%s of table \"%s\" cannot be deleted",
					idem_readable_key(call->rel, call->before),
					RelationGetRelationName(call->rel)),
			 errhint("A key that is forgotten is granted again."),
			 errtableconstraint(call->rel, call->trigger->tgname)));
}

/*
 * keep_keys() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW.  22I01 for what is no key,
 * 22023 for a request that lacks a field, 23I07 for what stays, 23I08 for a
 * DELETE.
 */
PG_FUNCTION_INFO_V1(idem_keep_keys);
Datum
idem_keep_keys(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	BoundTable *table;

	if (!idem_guard_call(fcinfo, "idem.keep_keys", &call))
		return PointerGetDatum(NULL);
	table = idem_guard_settings(&call, compile_settings);
	if (IDEM_CALL_IS_DELETE(&call))
		refuse_delete(&call);
	if (IDEM_CALL_IS_UPDATE(&call))
		judge_update(&call, table);
	else if (!idem_in_apply_worker())
		grant_key(&call, table);
	return PointerGetDatum(NULL);
}
