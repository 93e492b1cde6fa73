/*
 * declared.h
 *		What is declared as a row of a table of idem.
 */
#ifndef IDEM_DECLARED_H
#define IDEM_DECLARED_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

#define IDEM_DECLARED_MAX	20

/* A setting of a declaration, which is a column of its table. */
typedef struct IdemDeclaredSetting
{
	const char *name;
	Oid			type;
	bool		needed;			/* not null, in a declaration */
} IdemDeclaredSetting;

/* What is declared. */
typedef struct IdemDeclaredKind
{
	const char *name;			/* also of its table, with a column name */
	const IdemDeclaredSetting *settings;
	int			nsettings;
	const char *newest;			/* rows of the name $1 that count */
	const char *locked;			/* the table that a declaration locks; NULL:
								 * its own */
	int			first;			/* the argument of the first setting; 0: the
								 * settings come last */
} IdemDeclaredKind;

/* One call: the name and the settings it gives, as $1, $2, ... */
typedef struct IdemDeclared
{
	const IdemDeclaredKind *kind;
	Relation	rel;			/* its table, locked */
	char	   *name;
	Oid			types[IDEM_DECLARED_MAX];
	Datum		values[IDEM_DECLARED_MAX];
	char		nulls[IDEM_DECLARED_MAX];
} IdemDeclared;

extern void idem_declared_begin(FunctionCallInfo fcinfo,
								const IdemDeclaredKind *kind,
								IdemDeclared *call);
extern void idem_declared_end(IdemDeclared *call);
extern uint64 idem_declared_run(IdemDeclared *call, const char *sql,
								bool settings);
extern char *idem_declared_text(uint64 row, int column);
extern char *idem_declared_each(const IdemDeclaredKind *kind,
								const char *pattern);
extern List *idem_declared_given(const IdemDeclared *call);
extern bool idem_declared_exists(IdemDeclared *call);
extern void idem_declared_require(IdemDeclared *call);
extern void idem_declared_check(IdemDeclared *call);
extern bool idem_declared_stands(IdemDeclared *call);
extern void idem_declared_insert(IdemDeclared *call, const char *columns,
								 const char *values);
extern void idem_declared_update(IdemDeclared *call);
extern void idem_declared_refuse_needed(IdemDeclared *call, const char *sql);

#endif							/* IDEM_DECLARED_H */
