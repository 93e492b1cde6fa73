/*
 * limit_declare.h
 *		What the files that declare a limit share.
 */
#ifndef IDEM_LIMIT_DECLARE_H
#define IDEM_LIMIT_DECLARE_H

#include "datatype/timestamp.h"
#include "limit/limit.h"
#include "utils/rel.h"

/* What guard_limit() was called with, and what the catalog adds to it. */
typedef struct IdemLimitDeclaration
{
	Relation	child;
	Relation	parent;
	IdemTotalSource of;			/* what fills the total */
	List	   *same;			/* child columns */
	List	   *same_parent;	/* the parent column of each */
	char	   *parent_state;	/* or NULL */
	List	   *open;
	bool		cap_grows;
	bool		editable;
	int64		count_cap;		/* or 0 */
	Interval   *max_age;		/* or NULL */
	char	   *age_from;		/* column of the parent, or NULL */
	Oid			type;			/* of amount, cap and used */
	int32		typmod;
	List	   *sources;		/* that share the total, this one first */
	const char *all_excess;		/* of any of them, or NULL */
	List	   *missing;		/* columns to add: text of ADD COLUMN */
	List	   *finish;			/* what ALTER TABLE does in the end */
	char	   *limit_name;		/* names of what is made */
	char	   *total_name;
} IdemLimitDeclaration;

/* limit_argument.c */
extern void idem_limit_read_arguments(FunctionCallInfo fcinfo, bool many,
									  IdemLimitDeclaration *d);

/* limit_require.c */
extern void idem_limit_open_parent(IdemLimitDeclaration *d);

/* limit_fill.c */
extern void idem_limit_check_rows(IdemLimitDeclaration *d);
extern void idem_limit_fill_totals(IdemLimitDeclaration *d);

static inline Form_pg_attribute
attribute(Relation rel, AttrNumber column)
{
	return TupleDescAttr(RelationGetDescr(rel), column - 1);
}

#endif							/* IDEM_LIMIT_DECLARE_H */
