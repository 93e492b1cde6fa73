/*
 * ledger_sums.c
 *		What the entries of accounts add up to, as SQL.
 *
 * The sums do not know which side makes an account grow: net is credits less
 * debits, posted; held_debit and held_credit are what is pending on either side
 * and no entry has posted.  What that is to an account p says its own row.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/qualified.h"
#include "base/settings.h"
#include "ledger/ledger_declare.h"
#include "total/total_sql.h"
#include "total/total_type.h"

static const char *
word_of(const IdemTotalSource *source, const char *setting)
{
	const char *word = idem_setting(source->settings, setting);

	return word == NULL ? setting : word;
}

/*
 * CASE WHEN table.column = 'C' THEN credit WHEN ... = 'D' THEN debit END, by
 * the words of the guard; NULL for a word that is neither.
 */
char *
idem_ledger_side_sql(const IdemTotalSource *source, Oid relid,
					 const char *table, const char *column,
					 const char *credit, const char *debit)
{
	Oid			type = get_atttype(relid, get_attnum(relid, column));
	const char *value = idem_total_column_sql(table, column);
	const char *words[2];
	char	   *is[2];
	int			i;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						column, get_rel_name(relid))));
	words[0] = word_of(source, "credit");
	words[1] = word_of(source, "debit");
	for (i = 0; i < 2; i++)
		is[i] = idem_total_equal_sql(value, type,
									 psprintf("%s::%s",
											  quote_literal_cstr(words[i]),
											  idem_total_type_name(getBaseType(type))),
									 getBaseType(type));
	return psprintf("CASE WHEN %s THEN %s WHEN %s THEN %s END", is[0], credit,
					is[1], debit);
}

/* The amount of c in numeric, a debit negative. */
char *
idem_ledger_net_sql(const IdemTotalSource *source)
{
	const char *side = idem_setting(source->settings, "side");
	const char *direction = idem_setting(source->settings, "direction");
	char	   *amount = psprintf("c.%s::pg_catalog.numeric",
								  quote_identifier(source->amount));

	if (direction != NULL)
		return idem_ledger_side_sql(source, source->key.child, "c", direction,
									amount, psprintf("- %s", amount));
	return side == NULL || strcmp(side, "credit") == 0 ? amount :
		psprintf("- %s", amount);
}

/* Is the hold c posted by another entry? */
char *
idem_ledger_posted_sql(const IdemTotalSource *source)
{
	const char *posts = idem_setting(source->settings, "posts");
	IdemTotalKey key;

	if (posts == NULL)
		return "false";
	idem_total_find_own_key(source->key.child, posts,
							ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &key);
	return psprintf("EXISTS (SELECT FROM %s o WHERE %s OPERATOR(pg_catalog.=) %s)",
					idem_qualified_name_of(source->key.child),
					idem_total_column_sql("o", posts),
					idem_total_column_sql("c",
										  get_attname(key.parent,
													  key.parent_column[0],
													  false)));
}

/* net, is it pending, and is it still held, of the entry c */
static char *
row_sql(const IdemTotalSource *source, bool first)
{
	List	   *pending = idem_setting_list(source->settings, "pending");
	char	   *is_pending = idem_total_state_sql(source->key.child, "c",
												  source->state, pending);

	return psprintf("%s AS net, %s IS TRUE AS pending, (%s IS TRUE AND NOT %s) AS open",
					idem_ledger_net_sql(source), is_pending, is_pending,
					pending == NIL ? "false" : idem_ledger_posted_sql(source));
}

/* (k1, ..., net, held_debit, held_credit) */
char *
idem_ledger_sums_sql(List *sources)
{
	return idem_total_sums_sql(sources,
							   "COALESCE(pg_catalog.sum(x.net) FILTER (WHERE NOT x.pending), 0) AS net,"
							   " COALESCE(pg_catalog.sum(- x.net) FILTER (WHERE x.open AND x.net < 0), 0) AS held_debit,"
							   " COALESCE(pg_catalog.sum(x.net) FILTER (WHERE x.open AND x.net > 0), 0) AS held_credit",
							   row_sql);
}

/* What is one thing to an account p that credits make grow, and another ... */
static char *
by_normal_sql(const IdemTotalSource *source, const char *credit,
			  const char *debit)
{
	const char *column = idem_setting(source->settings, "normal_column");
	const char *normal = idem_setting(source->settings, "normal");

	if (column != NULL)
		return psprintf("(%s)",
						idem_ledger_side_sql(source, source->key.parent, "p",
											 column, credit, debit));
	return pstrdup(normal != NULL && strcmp(normal, "debit") == 0 ?
				   debit : credit);
}

/* The balance of an account p by its sums t. */
char *
idem_ledger_balance_sql(const IdemTotalSource *source)
{
	return by_normal_sql(source, "COALESCE(t.net, 0)", "(- COALESCE(t.net, 0))");
}

/* What is held of it. */
char *
idem_ledger_held_sql(const IdemTotalSource *source)
{
	return by_normal_sql(source, "COALESCE(t.held_debit, 0)",
						 "COALESCE(t.held_credit, 0)");
}

/*
 * What the shortfall of an account p has to be at least, by its columns of the
 * floor and of who has none, and by what it has: GREATEST(floor - (balance -
 * held), 0).  Where the floor was lowered it may be more, until the next entry.
 */
char *
idem_ledger_missing_sql(const char *floor, const char *unbounded,
						const char *balance, const char *held)
{
	if (floor == NULL)
		return "0";
	return psprintf("CASE WHEN %s THEN 0 ELSE GREATEST(%s::pg_catalog.numeric - (%s - %s), 0) END",
					unbounded == NULL ? "false" :
					idem_total_column_sql("p", unbounded),
					idem_total_column_sql("p", floor), balance, held);
}
