/*
 * pair_report.c
 *		What is said when the states of two rows do not agree.
 *
 * The message alone is enough.  The values of the other row, and the reason
 * that follows from them, are shown only to a role that may read it.  Values of
 * the row itself that an UPDATE has left unchanged are shown only to a role
 * that may read the row.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/idem_errors.h"
#include "base/right.h"
#include "base/row.h"
#include "base/settings_write.h"
#include "pair/pair.h"

/* The key of the parent as the child has it: " 4711", or " (7, 4711)" */
static char *
key_text(const IdemGuardCall *call, IdemPair *pair,
		 const NullableDatum *values)
{
	List	   *texts = NIL;
	int			i;

	if (!idem_row_is_known(call))
		return "";
	for (i = 0; i < pair->key.n; i++)
		texts = lappend(texts, idem_value_text(pair->type[i],
											   values[i].value));
	return psprintf(" %s", idem_key_text(texts));
}

/* cannot be "sent", of the row of the table that fired; or cannot be stored */
static char *
wish_text(const IdemGuardCall *call, AttrNumber state, TupleTableSlot *row)
{
	char	   *str;

	if (!idem_row_is_known(call))
		return "cannot be changed";
	if (state == 0)
		return "cannot be stored";
	str = idem_column_text(call->rel, state, row);
	return str == NULL ? "cannot be without a state" :
		psprintf("cannot be \"%s\"", str);
}

/* is "shipped", of a parent */
static char *
parent_text(IdemPair *pair, const IdemPairSeen *seen)
{
	Oid			type = get_atttype(pair->key.parent,
								   get_attnum(pair->key.parent,
											  pair->parent_name));

	return seen->isnull ? "has no state" :
		psprintf("is \"%s\"", idem_value_text(type, seen->state));
}

/* May the current user read the table, which is locked? */
static bool
may_read(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		may = idem_may_read(rel);

	table_close(rel, NoLock);
	return may;
}

static int
fields(const IdemGuardCall *call, AttrNumber column)
{
	if (column == 0)
		return errtableconstraint(call->rel, call->trigger->tgname);
	errtablecol(call->rel, column);
	return err_generic_string(PG_DIAG_CONSTRAINT_NAME, call->trigger->tgname);
}

static int
detail_rule(IdemPair *pair, IdemPairRule *rule)
{
	const char *child = get_rel_name(pair->key.child);
	const char *parent = get_rel_name(pair->key.parent);

	if (rule->state == NULL)
		return errdetail("A row of table \"%s\" goes with a row of table \"%s\" that is one of %s.",
						 child, parent, idem_list_text(rule->names));
	return errdetail("A row of table \"%s\" that is \"%s\" goes with a row of table \"%s\" that is one of %s.",
					 child, rule->state, parent, idem_list_text(rule->names));
}

/* 23I0C: the child does not go with the parent row that was seen. */
void
idem_pair_report_child(const IdemGuardCall *call, IdemPair *pair,
					   IdemPairRule *rule, const NullableDatum *values,
					   const IdemPairSeen *seen)
{
	bool		shown = idem_row_is_known(call) && may_read(pair->key.parent);
	const char *child = get_rel_name(pair->key.child);
	const char *child_key = idem_readable_key(call->rel, call->after);
	const char *wish = wish_text(call, pair->state, call->after);
	const char *parent = get_rel_name(pair->key.parent);
	const char *parent_key = key_text(call, pair, values);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_STATES_DISAGREE),
			 shown ?
			 errmsg("%s%s %s while its %s%s %s", child, child_key, wish,
					parent, parent_key, parent_text(pair, seen)) :
			 errmsg("%s%s %s in the state that its %s%s is in", child,
					child_key, wish, parent, parent_key),
			 shown ? detail_rule(pair, rule) : 0,
			 fields(call, pair->state)));
}

/*
 * 23I0C: the parent, as it is now or, row NULL, another one that has taken its
 * place, does not go with this child.
 */
void
idem_pair_report_parent(const IdemGuardCall *call, IdemPair *pair,
						TupleTableSlot *row, const IdemPairChild *found)
{
	bool		shown = may_read(pair->key.child);
	const char *child = get_rel_name(pair->key.child);
	const char *parent = get_rel_name(pair->key.parent);
	const char *parent_key =
		idem_readable_key(call->rel, row != NULL ? row : call->before);
	const char *wish = row != NULL ? wish_text(call, pair->state, row) :
		"cannot be replaced";
	const char *state = pair->state_name == NULL ? "is there" :
		found->state == NULL ? "has no state" :
		psprintf("is \"%s\"", found->state);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_STATES_DISAGREE),
			 shown ?
			 errmsg("%s%s %s while its %s%s %s", parent, parent_key, wish,
					child, found->key, state) :
			 errmsg("%s%s %s because of a row of table \"%s\"", parent,
					parent_key, wish, child),
			 fields(call, pair->state)));
}

/* The guard looks before the foreign key does, and reports the same: 23503. */
void
idem_pair_report_no_parent(const IdemGuardCall *call, IdemPair *pair,
						   const NullableDatum *values)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("insert or update on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(call->rel),
					NameStr(pair->key.name)),
			 idem_row_is_known(call) ?
			 errdetail("There is no %s%s.", get_rel_name(pair->key.parent),
					   key_text(call, pair, values)) : 0,
			 errtableconstraint(call->rel, NameStr(pair->key.name))));
}

/* 23502 for a child that names no parent. */
void
idem_pair_report_no_key(const IdemGuardCall *call, AttrNumber column)
{
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("row of table \"%s\" has no parent to be judged by",
					RelationGetRelationName(call->rel)),
			 errtablecol(call->rel, column)));
}

/* 40001: what was judged is a version that the transaction cannot see. */
void
idem_pair_report_newer(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}
