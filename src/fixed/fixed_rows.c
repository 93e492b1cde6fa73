/*
 * fixed_rows.c
 *		What may leave a table whose rows are kept.
 *
 * A partition that is detached takes its rows out of the table and out of
 * the guard: of an append-only table that is a deletion.
 */
#include "postgres.h"

#include "access/relation.h"
#include "utils/rel.h"

#include "base/declare.h"
#include "base/kind.h"
#include "fixed/fixed_rows.h"

/* SELECT count(*), NULL FROM schema.table */
static char *
check_empty(const IdemGuard *guard, Oid rows)
{
	Relation	rel = relation_open(rows, AccessShareLock);
	char	   *finding;

	finding = idem_count_offenders(rel,
								   psprintf("SELECT count(*), NULL::text FROM %s",
											idem_qualified_name(rel)),
								   (Datum) 0, "that are kept");
	relation_close(rel, AccessShareLock);
	return finding;
}

static const char *const columns[] = {"columns", "once", NULL};

static const IdemGuardKind fixed_kind = {
	.kind = "fixed",
	.function = "keep_fixed",
	.decides = true,
	.columns = columns
};

static const IdemGuardKind kept_kind = {
	.kind = "kept",
	.function = "keep_rows",
	.decides = true,
	.check_detached = check_empty
};

void
idem_fixed_rows_init(void)
{
	idem_register_kind(&fixed_kind);
	idem_register_kind(&kept_kind);
}
