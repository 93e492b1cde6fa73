/*
 * pair_rule.c
 *		Which states of a child go with which states of its parent.
 *
 * "allowed" lists, for a state of the child, the states that its parent may be
 * in meanwhile; "*" stands for every state of the child that is not listed
 * itself, and for children without a state.  A state without a rule is free.
 * Among the parent's states "*" stands for all of them.  A parent without a
 * state goes with nothing that has a rule.
 *
 * A fact is free, too, where it is stored: what the doctor then holds it
 * against is its own rule, that of "*", or, where it has neither, every state
 * of a parent that any rule names.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "base/settings.h"
#include "base/settings_write.h"
#include "pair/pair.h"
#include "total/total_source.h"

/* Can a column of this type, below domains, hold a state? */
bool
idem_pair_takes(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type_is_enum(type);
}

/* The rule of one state of the child, or of "*". */
static void
read_rule(char *state, char *names, Relation child, Relation parent,
		  IdemPair *pair)
{
	IdemPairRule *rule = &pair->rules[pair->nrules++];

	rule->names = idem_text_list(names);
	rule->any = idem_total_is_everything(rule->names);
	if (strcmp(state, "*") != 0)
		rule->state = pstrdup(state);
	if (rule->state != NULL)
		idem_states_init(&rule->child, child, pair->state_name,
						 list_make1(rule->state));
	if (!rule->any)
		idem_states_init(&rule->parent, parent, pair->parent_name,
						 rule->names);
}

/*
 * The rules that a guard's settings name, as values of these tables, in the
 * current memory context.
 */
void
idem_pair_read_rules(List *settings, Relation child, Relation parent,
					 IdemPair *pair)
{
	char	   *rest = NULL;
	List	   *states;
	List	   *names;
	ListCell   *s;
	ListCell   *n;

	idem_setting_map(settings, "allowed", &states, &names);
	pair->rules = palloc0(sizeof(IdemPairRule) * Max(list_length(states), 1));
	forboth(s, states, n, names)
	{
		if (strcmp(lfirst(s), "*") == 0)
			rest = lfirst(n);
		else
			read_rule(lfirst(s), lfirst(n), child, parent, pair);
	}
	if (rest != NULL)
		read_rule("*", rest, child, parent, pair);
	pair->fact_names = idem_setting_list(settings, "facts");
	if (pair->state_name != NULL)
		idem_states_init(&pair->facts, child, pair->state_name,
						 pair->fact_names);
}

/* The rule of a child in this state; NULL: it is free, or a fact. */
IdemPairRule *
idem_pair_rule_of(IdemPair *pair, Datum state, bool isnull)
{
	int			i;

	if (idem_states_contain(&pair->facts, state, isnull))
		return NULL;
	for (i = 0; i < pair->nrules; i++)
	{
		IdemPairRule *rule = &pair->rules[i];

		if (rule->state == NULL ||
			idem_states_contain(&rule->child, state, isnull))
			return rule;
	}
	return NULL;
}

/* Does the parent's state go with the rule? */
bool
idem_pair_agrees(IdemPairRule *rule, Datum state, bool isnull)
{
	return rule->any || idem_states_contain(&rule->parent, state, isnull);
}

/* The states of a parent that a fact goes with, as their names. */
List *
idem_pair_fact_parents(List *settings, const char *fact)
{
	List	   *states;
	List	   *names;
	List	   *all = NIL;
	List	   *rest = NIL;
	ListCell   *s;
	ListCell   *n;
	ListCell   *lc;

	idem_setting_map(settings, "allowed", &states, &names);
	forboth(s, states, n, names)
	{
		List	   *of = idem_text_list(lfirst(n));

		if (strcmp(lfirst(s), fact) == 0)
			return of;
		if (strcmp(lfirst(s), "*") == 0)
			rest = of;
		foreach(lc, of)
			all = lappend(all, lfirst(lc));
	}
	return rest != NIL ? rest : all;
}
