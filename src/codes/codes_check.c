/*
 * codes_check.c
 *		Finds what is wrong with a table of return codes that could be read.
 *
 * Each of these is refused, because it would settle a payment in a way that
 * nobody intended:
 *
 *		no_code				the table lists none
 *		duplicate_code		a code is listed twice
 *		unknown_meaning		the word is none of the five meanings
 *		second_success		two codes succeed, and the later one does not say
 *							why: [also: reason]
 *		wide_meaning		a star means something else than failed
 *		wide_reason			a star does not say why it covers what nobody has
 *							seen yet: [all: reason]
 *		misplaced_reason	[also: ...] without success, [all: ...] without star
 *
 * Cost: O(rows).
 */
#include "codes/codes_text.h"

#include <string.h>

/* What the row says of itself */
static void
check_row(IdemFaults *faults, const IdemCodeTable *table,
		  const IdemCodeRow *row)
{
	const IdemCodeRow *twin = &table->rows[row->twin];
	int			at = row->meaning_column;

	if (twin != row)
		idem_fault_found(faults, row->line, row->code_column, "duplicate_code",
						 "code \"%s\" is listed twice (see line %d)",
						 row->path, twin->line);
	if (!row->known)
	{
		idem_fault_found(faults, row->line, at, "unknown_meaning",
						 "\"%.*s\" is none of succeeded, failed, absent, returned and unknown",
						 idem_clip(row->word, strlen(row->word), 60),
						 row->word);
		return;
	}
	if (row->wide && row->meaning != IDEM_MEANING_FAILED)
		idem_fault_found(faults, row->line, at, "wide_meaning",
						 "\"%s\" covers codes that nobody has seen yet: it can only mean failed",
						 row->path);
	if (row->wide && !row->all)
		idem_fault_found(faults, row->line, at, "wide_reason",
						 "\"%s\" covers codes that nobody has seen yet: say why, failed [all: reason]",
						 row->path);
	if (row->all && !row->wide)
		idem_fault_found(faults, row->line, at, "misplaced_reason",
						 "[all: ...] belongs to a code that ends with a star");
	if (row->also && row->meaning != IDEM_MEANING_SUCCEEDED)
		idem_fault_found(faults, row->line, at, "misplaced_reason",
						 "[also: ...] belongs to the meaning succeeded");
}

/* At most one code succeeds without a word. */
static void
check_successes(IdemFaults *faults, const IdemCodeTable *table)
{
	const IdemCodeRow *first = NULL;
	int			i;

	for (i = 0; i < table->count; i++)
	{
		const IdemCodeRow *row = &table->rows[i];

		if (!row->known || row->meaning != IDEM_MEANING_SUCCEEDED || row->also)
			continue;
		if (first == NULL)
			first = row;
		else
			idem_fault_found(faults, row->line, row->meaning_column,
							 "second_success",
							 "code \"%s\" succeeds beside \"%s\" (line %d): say why, succeeded [also: reason]",
							 row->path, first->path, first->line);
	}
}

/* Writes up to max faults and returns how many there are. */
int
idem_code_table_check(const IdemCodeTable *table, IdemFault *faults, int max)
{
	IdemFaults	found = {faults, 0, max};
	int			i;

	if (table->count == 0)
		idem_fault_found(&found, 0, 0, "no_code", "the table lists no code");
	for (i = 0; i < table->count; i++)
		check_row(&found, table, &table->rows[i]);
	check_successes(&found, table);
	return found.count;
}
