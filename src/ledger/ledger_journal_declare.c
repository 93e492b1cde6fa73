/*
 * ledger_journal_declare.c
 *		guard_journal(): every journal balances.
 *
 * Locked until the end of the transaction: the table of the entries, SHARE ROW
 * EXCLUSIVE, while they are read: writers wait, readers do not.  Of the
 * journals nothing is locked or changed.
 */
#include "postgres.h"

#include "access/relation.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "ledger/ledger_journal.h"
#include "total/total_declare.h"
#include "total/total_sql.h"

/* What guard_journal() was called with. */
typedef struct JournalDeclaration
{
	List	   *fk;
	List	   *settings;
	IdemTotalSource *source;
} JournalDeclaration;

static void
refuse_pairing(const char *one, const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" of idem.guard_journal needs argument \"%s\"",
					one, other)));
}

/* 22023 for an argument without the one that it needs. */
static void
check_arguments(FunctionCallInfo fcinfo, List *settings)
{
	static const char *const needs[][2] = {
		{"direction", "debit"}, {"direction", "credit"},
		{"debit", "direction"}, {"credit", "direction"},
		{"pending", "state"}, {"released", "state"}
	};
	int			i;

	for (i = 0; i < lengthof(needs); i++)
	{
		if (idem_setting(settings, needs[i][0]) != NULL &&
			idem_setting(settings, needs[i][1]) == NULL)
			refuse_pairing(needs[i][0], needs[i][1]);
	}
	if (idem_setting(settings, "state") != NULL && PG_ARGISNULL(8))
		idem_total_refuse_unsaid();
	idem_total_refuse_overlap("pending", idem_setting_list(settings, "pending"),
							  "released",
							  idem_setting_list(settings, "released"));
}

/* The arguments, of which fk is as the foreign key has it; see ledger.sql. */
static List *
journal_settings(FunctionCallInfo fcinfo, List *fk)
{
	static const char *const words[] = {"amount", "direction", "debit",
	"credit", "currency", "state"};
	List	   *settings = idem_settings_begin();
	int			i;

	settings = idem_settings_add_list(settings, "fk", fk);
	for (i = 0; i < lengthof(words); i++)
		settings = idem_settings_add(settings, words[i],
									 idem_text_argument(fcinfo, i + 2));
	settings = idem_settings_add_list(settings, "pending",
									  idem_list_argument(fcinfo, 9, "pending"));
	settings = idem_settings_add_list(settings, "released",
									  idem_list_argument(fcinfo, 8, "released"));
	return idem_settings_add(settings, "closed",
							 PG_GETARG_BOOL(10) ? "true" : "false");
}

static bool
journal_stands(Relation rel, void *declaration)
{
	JournalDeclaration *d = declaration;

	return idem_guard_stands(rel, "journal", d->settings, NULL, NIL);
}

/* Columns exist, and words and labels are known to their types. */
static void
check_columns(Relation rel, JournalDeclaration *d)
{
	static const char *const columns[] = {"amount", "direction", "currency",
	"state"};
	const char *direction = idem_setting(d->settings, "direction");
	AttrNumber	amount;
	IdemStates	states;
	int			i;

	for (i = 0; i < lengthof(columns); i++)
	{
		if (idem_setting(d->settings, columns[i]) != NULL)
			(void) idem_stored_column(rel, idem_setting(d->settings,
														columns[i]));
	}
	amount = idem_column_number(rel, d->source->amount);
	if (!idem_amount_type_supported(idem_column_base_type(rel, amount, NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("amounts of table \"%s\" have no type in which a journal can balance",
						RelationGetRelationName(rel)),
				 errdetail("Amounts are money_micro, bigint, integer or numeric."),
				 errtablecol(rel, amount)));
	if (direction != NULL)
		idem_states_init(&states, rel, direction,
						 list_make2(pstrdup(idem_setting(d->settings, "debit")),
									pstrdup(idem_setting(d->settings, "credit"))));
	idem_states_init(&states, rel, d->source->state, d->source->released);
	idem_states_init(&states, rel, d->source->state,
					 idem_setting_list(d->settings, "pending"));
}

/* 23I0B with some of the journals that do not balance already. */
static void
check_rows(Relation rel, JournalDeclaration *d)
{
	char	   *found;

	found = idem_total_offenders(psprintf("SELECT pg_catalog.format('%%s: %%s', pg_catalog.concat_ws(' ', x.key, x.currency, CASE WHEN x.pending THEN 'pending' END), COALESCE(x.sum::pg_catalog.text, 'no sum')) FROM (%s) x ORDER BY 1",
										  idem_journal_sums_sql(d->source)));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_UNBALANCED_JOURNAL),
				 errmsg("table \"%s\" has journals that are not balanced",
						RelationGetRelationName(rel)),
				 errdetail("Credits less debits: %s", found),
				 errtable(rel)));
}

static void
make_guard(Relation rel, JournalDeclaration *d)
{
	Oid			relid = RelationGetRelid(rel);
	char	   *name = idem_free_trigger_name(relid, "idem_journal", d->fk);
	IdemIdentity saved;

	idem_become_declarer(rel, &saved);
	idem_see_every_row();
	check_rows(rel, d);
	relation_close(rel, NoLock);
	idem_create_row_trigger(relid, name, "INSERT OR UPDATE OR DELETE",
							IDEM_JOURNAL_FUNCTION, d->settings);
	idem_create_statement_triggers(relid, name);
	idem_log_change("declared", "journal", relid, name, d->settings, NULL);
	idem_restore_identity(&saved);
}

/*
 * guard_journal(child regclass, fk text, ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_journal);
Datum
idem_guard_journal(PG_FUNCTION_ARGS)
{
	JournalDeclaration d = {0};
	IdemTotalKey key;
	Relation	rel;

	idem_require_argument(fcinfo, 0, "child");
	(void) idem_required_text(fcinfo, 2, "amount");
	idem_require_argument(fcinfo, 10, "closed");
	idem_check_owned(PG_GETARG_OID(0));
	idem_total_find_key(PG_GETARG_OID(0),
						idem_columns_argument(idem_required_text(fcinfo, 1,
																 "fk")),
						ERRCODE_INVALID_OBJECT_DEFINITION, &key);
	d.fk = idem_total_child_columns(&key);
	d.settings = journal_settings(fcinfo, d.fk);
	check_arguments(fcinfo, d.settings);

	SPI_connect();
	rel = idem_open_to_declare(PG_GETARG_OID(0), journal_stands, &d);
	if (rel != NULL)
	{
		d.source = idem_total_read_source(d.settings, RelationGetRelid(rel));
		check_columns(rel, &d);
		idem_total_check_key_types(rel, &key);
		make_guard(rel, &d);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
