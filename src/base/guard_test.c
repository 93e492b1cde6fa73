/*
 * guard_test.c
 *		A guard that refuses nothing but a change of key, and tells what it saw.
 *
 * For the tests of base/ only: the install script does not declare it, and
 * only a superuser can (sql/base_moved.sql does).
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/varlena.h"

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

typedef struct TestSettings
{
	Bitmapset  *key;
	char	   *definition;		/* of the table that the setting "from" names */
} TestSettings;

static void *
compile_settings(Relation rel, Trigger *trigger, Oid *also)
{
	TestSettings *settings = palloc0(sizeof(TestSettings));
	const char *from = idem_trigger_setting(trigger, "from");
	MemoryContext context = CurrentMemoryContext;

	settings->key = idem_key_columns(rel);
	settings->definition = "";
	if (from == NULL)
		return settings;
	*also = RangeVarGetRelid(makeRangeVarFromNameList(stringToQualifiedNameList(from)),
							 AccessShareLock, false);
	SPI_connect();
	SPI_execute(psprintf("SELECT pg_catalog.max(word) FROM %s", from), true, 0);
	settings->definition = MemoryContextStrdup(context,
											   SPI_getvalue(SPI_tuptable->vals[0],
															SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return settings;
}

PG_FUNCTION_INFO_V1(idem_test_guard);
Datum
idem_test_guard(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	TestSettings *settings;

	if (!idem_guard_call(fcinfo, "idem_test_guard", &call))
		return PointerGetDatum(NULL);
	settings = idem_guard_settings(&call, compile_settings);
	if (!idem_trigger_setting(call.trigger, "quiet"))
		ereport(NOTICE,
				(errmsg("%s%s %s %s on %s: %s -> %s", call.trigger->tgname,
						settings->definition,
						call.moved ? "moved" : "judges",
						IDEM_CALL_IS_INSERT(&call) ? "INSERT" :
						IDEM_CALL_IS_DELETE(&call) ? "DELETE" : "UPDATE",
						RelationGetRelationName(call.rel),
						row_text(call.rel, call.before),
						row_text(call.rel, call.after))));
	if (IDEM_CALL_IS_UPDATE(&call))
		idem_refuse_key_change(&call, settings->key);
	return PointerGetDatum(NULL);
}
