/*
 * codes_diff.c
 *		What a new version of a table of return codes changes.
 *
 * Versions are compared by what each code means, whether its own row or a star
 * gives the meaning; a code with neither is unknown.  A change to unknown
 * tightens, because an answer settles less than before.  Every other change
 * loosens, even one between two certain meanings.  A row that is added or
 * removed without changing a meaning is neutral.
 *
 * Cost: O(rows).
 */
#include "postgres.h"

#include "codes/codes_inner.h"

/* What a table says of a path; a path with a star is judged by itself alone. */
static IdemMeaning
meaning_of(const IdemCodeTable *table, const IdemCodeRow *row)
{
	size_t		length = strlen(row->path);
	const IdemCodeRow *found = row->wide ?
		idem_code_table_find(table, row->path, length) :
		idem_code_table_judge(table, row->path, length);

	return found == NULL ? IDEM_MEANING_UNKNOWN : found->meaning;
}

static bool
has_path(const IdemCodeTable *table, const IdemCodeRow *row)
{
	return idem_code_table_find(table, row->path, strlen(row->path)) != NULL;
}

static List *
note_meaning(List *changes, const char *path, IdemMeaning before,
			 IdemMeaning after)
{
	return idem_change_note(changes, after == IDEM_MEANING_UNKNOWN ?
							IDEM_TIGHTENS : IDEM_LOOSENS, NULL,
							"code \"%s\" means %s instead of %s", path,
							idem_meaning_word(after),
							idem_meaning_word(before));
}

/*
 * The differences as a list of IdemChange: codes of the new version in its
 * order, then those that are gone.  NIL: only words.
 */
List *
idem_codes_diff(const IdemCodeTable *before, const IdemCodeTable *after)
{
	List	   *changes = NIL;
	int			i;

	for (i = 0; i < after->count; i++)
	{
		const IdemCodeRow *row = &after->rows[i];
		IdemMeaning old = meaning_of(before, row);

		if (old != row->meaning)
			changes = note_meaning(changes, row->path, old, row->meaning);
		else if (!has_path(before, row))
			changes = idem_change_note(changes, IDEM_NEUTRAL, NULL,
									   "code \"%s\" is listed, and still means %s",
									   row->path, idem_meaning_word(old));
	}
	for (i = 0; i < before->count; i++)
	{
		const IdemCodeRow *row = &before->rows[i];
		IdemMeaning now = meaning_of(after, row);

		if (has_path(after, row))
			continue;
		if (now != row->meaning)
			changes = note_meaning(changes, row->path, row->meaning, now);
		else
			changes = idem_change_note(changes, IDEM_NEUTRAL, NULL,
									   "code \"%s\" is no longer listed, and still means %s",
									   row->path, idem_meaning_word(now));
	}
	return changes;
}
