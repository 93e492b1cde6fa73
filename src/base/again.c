/*
 * again.c
 *		A guard that is declared again.
 *
 * Scripts that set a database up run more than once.  The same declaration
 * again changes nothing and says so in a NOTICE; one that asks for something
 * else is refused with 42710, which names what differs.  To get the other
 * one, take the guard off first, with a reason, which is kept.
 *
 * Two declarations are of the same guard if they agree in its kind and in the
 * columns by which guards of that kind are told apart (IDEM_SETTING_IDENTITY).
 * Settings that a declaration finds by itself (IDEM_SETTING_FOUND) are not
 * compared, nor is the order within a list, unless it means something
 * (IDEM_SETTING_ORDERED).
 *
 * The table is read under ACCESS SHARE first, so that a declaration that has
 * nothing to do does not stop writers, and again under the lock that keeps
 * other declarations out, before anything is created.
 *
 * Not promised: that the existing guard is intact. idem.guards says so.
 */
#include "postgres.h"

#include "access/relation.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/declare.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/latest.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_write.h"

/* Do the two values mean the same?  NULL: the setting is not there. */
static bool
same_value(const IdemSetting *setting, List *a, List *b)
{
	const char *one = idem_setting(a, setting->name);
	const char *other = idem_setting(b, setting->name);
	List	   *ones;
	List	   *others;

	if (one == NULL || other == NULL)
		return one == other;
	if (setting->form != IDEM_LIST || setting->flags & IDEM_SETTING_ORDERED)
		return strcmp(one, other) == 0;
	ones = idem_setting_list(a, setting->name);
	others = idem_setting_list(b, setting->name);
	list_sort(ones, idem_compare_strings);
	list_sort(others, idem_compare_strings);
	return idem_same_strings(ones, others);
}

/* How the guard and the declaration differ in one setting */
static char *
difference(const char *name, const char *has, const char *wanted)
{
	if (has == NULL)
		return psprintf("It has no \"%s\", the declaration has %s.", name, wanted);
	if (wanted == NULL)
		return psprintf("Its \"%s\" is %s, the declaration has none.", name, has);
	return psprintf("Its \"%s\" is %s, not %s.", name, has, wanted);
}

/* A sentence for each setting in which a guard is not the one wanted. */
static List *
differences(List *sentences, const IdemGuard *guard, List *wanted)
{
	const IdemSetting *setting;

	for (setting = guard->kind->settings; setting->name != NULL; setting++)
	{
		char	   *sentence;
		ListCell   *lc;
		bool		said = false;

		if (setting->flags & IDEM_SETTING_FOUND ||
			same_value(setting, guard->settings, wanted))
			continue;
		sentence = difference(setting->name,
							  idem_setting(guard->settings, setting->name),
							  idem_setting(wanted, setting->name));
		foreach(lc, sentences)
			said |= strcmp(lfirst(lc), sentence) == 0;
		if (!said)
			sentences = lappend(sentences, sentence);
	}
	return sentences;
}

/* The guard of the table that is this one by its identity, or NULL. */
static IdemGuard *
find_guard(Relation rel, const char *kind, List *settings)
{
	IdemGuard	wanted = {RelationGetRelid(rel), NULL, idem_kind_named(kind),
	settings};
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuard  *guard = ((IdemGuardTrigger *) lfirst(lc))->guard;

		if (guard->kind == wanted.kind &&
			(idem_same_guard(guard, &wanted) ||
			 differences(NIL, guard, settings) == NIL))
			return guard;
	}
	return NULL;
}

/* Its counterpart on another table, or NULL. */
IdemGuard *
idem_find_counterpart(Relation other, const IdemGuard *guard)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(other))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (!trigger->kind->decides && trigger->bound == guard->relid &&
			idem_same_guard(trigger->guard, guard))
			return trigger->guard;
	}
	return NULL;
}

static void
refuse_another(Relation rel, const IdemGuard *guard, List *sentences)
{
	StringInfoData detail;
	ListCell   *lc;

	initStringInfo(&detail);
	foreach(lc, sentences)
		appendStringInfo(&detail, "%s%s", detail.len > 0 ? " " : "",
						 (char *) lfirst(lc));
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("guard \"%s\" already exists on table \"%s\"",
					guard->name, RelationGetRelationName(rel)),
			 errdetail_internal("%s", detail.data),
			 errhint("Take it off with idem.drop_guard before you declare it anew."),
			 errtable(rel)));
}

/*
 * Does the table have this guard, with these settings?  True with a NOTICE;
 * 42710 if it has one of the same identity with others.  other: the table that
 * bears its counterpart, and the settings of that, or NULL and NIL.
 */
bool
idem_guard_stands(Relation rel, const char *kind, List *settings,
				  Relation other, List *other_settings)
{
	IdemGuard  *guard = find_guard(rel, kind, settings);
	IdemGuard  *counterpart;
	List	   *sentences;

	if (guard == NULL)
		return false;
	sentences = differences(NIL, guard, settings);
	if (other != NULL)
	{
		counterpart = idem_find_counterpart(other, guard);
		sentences = counterpart != NULL ?
			differences(sentences, counterpart, other_settings) :
			lappend(sentences, psprintf("Its trigger on table \"%s\" is gone.",
										RelationGetRelationName(other)));
	}
	if (sentences != NIL)
		refuse_another(rel, guard, sentences);
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("guard \"%s\" already exists on table \"%s\", skipping",
					guard->name, RelationGetRelationName(rel))));
	return true;
}

/*
 * Open the table a guard is to be put on, as idem_open_for_guard does, with
 * SHARE ROW EXCLUSIVE; NULL if the guard stands already, which stands() finds
 * out with the function above.
 */
Relation
idem_open_to_declare(Oid relid, IdemGuardStands stands, void *declaration)
{
	static const LOCKMODE modes[] = {AccessShareLock, ShareRowExclusiveLock};
	Relation	rel = NULL;
	int			i;

	for (i = 0; i < lengthof(modes); i++)
	{
		if (rel != NULL)
			relation_close(rel, NoLock);
		rel = idem_open_for_guard(relid, modes[i]);
		idem_accept_news();
		if (stands(rel, declaration))
		{
			relation_close(rel, NoLock);
			return NULL;
		}
	}
	return rel;
}
