/*
 * guard_test.c
 *		A guard that refuses nothing but a change of key, and tells what it saw.
 *
 * For the tests of base/ only: the install script does not declare it, and
 * only a superuser can (sql/base_moved.sql does).
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guard.h"

/* A row as text, its columns in the order of the partition. */
static char *
row_text(Relation rel, TupleTableSlot *slot)
{
	StringInfoData buf;
	int			i;

	if (slot == NULL)
		return "-";
	initStringInfo(&buf);
	for (i = 0; i < RelationGetDescr(rel)->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		Oid			output;
		bool		varlena;
		bool		isnull;
		Datum		value;

		if (att->attisdropped)
			continue;
		value = slot_getattr(slot, att->attnum, &isnull);
		getTypeOutputInfo(att->atttypid, &output, &varlena);
		appendStringInfo(&buf, "%s%s=%s", buf.len > 0 ? " " : "",
						 NameStr(att->attname),
						 isnull ? "null" : OidOutputFunctionCall(output, value));
	}
	return buf.data;
}

static void *
compile_key(Relation rel, Trigger *trigger, Oid *also)
{
	return idem_key_columns(rel);
}

PG_FUNCTION_INFO_V1(idem_test_guard);
Datum
idem_test_guard(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	Bitmapset  *key;

	if (!idem_guard_call(fcinfo, "idem_test_guard", &call))
		return PointerGetDatum(NULL);
	key = idem_guard_settings(&call, compile_key);
	if (!idem_trigger_setting(call.trigger, "quiet"))
		ereport(NOTICE,
				(errmsg("%s %s %s on %s: %s -> %s", call.trigger->tgname,
						call.moved ? "moved" : "judges",
						IDEM_CALL_IS_INSERT(&call) ? "INSERT" :
						IDEM_CALL_IS_DELETE(&call) ? "DELETE" : "UPDATE",
						RelationGetRelationName(call.rel),
						row_text(call.rel, call.before),
						row_text(call.rel, call.after))));
	if (IDEM_CALL_IS_UPDATE(&call) &&
		!idem_trigger_setting(call.trigger, "anykey"))
		idem_refuse_key_change(&call, key);
	return PointerGetDatum(NULL);
}
