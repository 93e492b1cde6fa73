/*
 * declared.c
 *		What is declared as a row of a table of idem.
 *
 * A declaration is a row, judged as a whole by a query that says what is wrong
 * with it (idem.<kind>_flaw).  The same again is a no-op with a NOTICE;
 * another one of the name is 42710.  Everything is kept in idem.change_log.
 *
 * Locks: SHARE ROW EXCLUSIVE on the table of the kind, one declaration at a
 * time; what only reads it goes on.  What is decided on is read after the lock
 * and as it is then.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/argument.h"
#include "base/change.h"
#include "base/declared.h"
#include "base/latest.h"
#include "base/named.h"
#include "base/row.h"

/*
 * Read name and settings from the arguments of a function, which begin with
 * the name; lock the table and connect to SPI.
 */
void
idem_declared_begin(FunctionCallInfo fcinfo, const IdemDeclaredKind *kind,
					IdemDeclared *call)
{
	int			first = kind->first > 0 ? kind->first :
		PG_NARGS() - kind->nsettings;
	int			i;

	Assert(first > 0 && kind->nsettings < IDEM_DECLARED_MAX);
	call->kind = kind;
	call->name = idem_required_text(fcinfo, 0, "name");
	call->types[0] = TEXTOID;
	call->values[0] = CStringGetTextDatum(call->name);
	call->nulls[0] = ' ';
	for (i = 1; i <= kind->nsettings; i++)
	{
		call->types[i] = kind->settings[i - 1].type;
		call->values[i] = PG_GETARG_DATUM(first + i - 1);
		call->nulls[i] = PG_ARGISNULL(first + i - 1) ? 'n' : ' ';
	}
	PreventCommandIfReadOnly("a declaration");
	call->rel = table_open(idem_extension_relation(kind->locked ?
												   kind->locked : kind->name),
						   ShareRowExclusiveLock);
	SPI_connect();
}

/* Leave SPI; the lock stays until the end of the transaction. */
void
idem_declared_end(IdemDeclared *call)
{
	SPI_finish();
	table_close(call->rel, NoLock);
}

/*
 * Run a statement as the owner of the table, with the name as $1, and the
 * settings from $2 on.  Returns how many rows there are, and leaves them.
 */
uint64
idem_declared_run(IdemDeclared *call, const char *sql, bool settings)
{
	return idem_run_as_owner(call->rel, sql,
							 settings ? call->kind->nsettings + 1 : 1,
							 call->types, call->values, call->nulls);
}

/* A text of the rows that are left; NULL: it is null. */
char *
idem_declared_text(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* "a, b, c" of the settings: @ stands for the name of one, # for its number. */
char *
idem_declared_each(const IdemDeclaredKind *kind, const char *pattern)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	for (i = 0; i < kind->nsettings; i++)
	{
		const char *p;

		if (i > 0)
			appendStringInfoString(&buf, ", ");
		for (p = pattern; *p != '\0'; p++)
		{
			if (*p == '@')
				appendStringInfoString(&buf, kind->settings[i].name);
			else if (*p == '#')
				appendStringInfo(&buf, "%d", i + 2);
			else
				appendStringInfoChar(&buf, *p);
		}
	}
	return buf.data;
}

/* What the change log keeps: the settings that are given. */
List *
idem_declared_given(const IdemDeclared *call)
{
	List	   *list = NIL;
	int			i;

	for (i = 1; i <= call->kind->nsettings; i++)
	{
		if (call->nulls[i] == 'n')
			continue;
		list = lappend(list, psprintf("%s=%s", call->kind->settings[i - 1].name,
									  idem_value_text(call->types[i],
													  call->values[i])));
	}
	return list;
}

/* Is there one of the name? */
bool
idem_declared_exists(IdemDeclared *call)
{
	return idem_declared_run(call, call->kind->newest, false) > 0;
}

/* 42704 unless there is one of the name. */
void
idem_declared_require(IdemDeclared *call)
{
	if (!idem_declared_exists(call))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s \"%s\" does not exist", call->kind->name,
						call->name)));
}

/* 22023 if something is wrong with the row of the name as it is now. */
void
idem_declared_check(IdemDeclared *call)
{
	char	   *hint;

	if (idem_declared_run(call,
						  psprintf("SELECT flaw, hint FROM idem.%s_flaw($1)"
								   " WHERE flaw IS NOT NULL",
								   call->kind->name), false) == 0)
		return;
	hint = idem_declared_text(0, 2);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s \"%s\": %s", call->kind->name, call->name,
					idem_declared_text(0, 1)),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * Is what is declared there already, and the same?  True with a NOTICE; 42710
 * if it is another.
 */
bool
idem_declared_stands(IdemDeclared *call)
{
	if (!idem_declared_exists(call))
		return false;
	if (idem_declared_run(call,
						  psprintf("SELECT FROM (%s) t WHERE (%s) IS DISTINCT FROM (%s)",
								   call->kind->newest, idem_declared_each(call->kind, "t.@"),
								   idem_declared_each(call->kind, "$#")), true) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("%s \"%s\" is declared already, and otherwise",
						call->kind->name, call->name),
				 errhint("Change it with idem.alter_%s.", call->kind->name)));
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("%s \"%s\" is declared already, in the same way",
					call->kind->name, call->name)));
	return true;
}

/* 22004 for a setting that a declaration cannot do without. */
static void
check_nulls(const IdemDeclared *call)
{
	int			i;

	for (i = 1; i <= call->kind->nsettings; i++)
	{
		if (call->nulls[i] == 'n' && call->kind->settings[i - 1].needed)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null",
							call->kind->settings[i - 1].name)));
	}
}

/*
 * Write the first row of a name; columns and values: further ones, each with a
 * comma before it.
 */
void
idem_declared_insert(IdemDeclared *call, const char *columns,
					 const char *values)
{
	check_nulls(call);
	(void) idem_declared_run(call,
							 psprintf("INSERT INTO idem.%s (name, created_by%s, %s)"
									  " VALUES ($1, session_user%s, %s)",
									  call->kind->name, columns,
									  idem_declared_each(call->kind, "@"), values,
									  idem_declared_each(call->kind, "$#")), true);
	idem_declared_check(call);
	idem_log_change("declared", call->kind->name, InvalidOid, call->name,
					idem_declared_given(call), NULL);
}

/* Change what is given in the row of the name; what is NULL stays. */
void
idem_declared_update(IdemDeclared *call)
{
	(void) idem_declared_run(call,
							 psprintf("UPDATE idem.%s SET (%s) = ROW (%s) WHERE name = $1",
									  call->kind->name, idem_declared_each(call->kind, "@"),
									  idem_declared_each(call->kind, "coalesce($#, @)")), true);
	idem_declared_check(call);
}

/* 2BP01 if a query finds what needs the thing that is to be dropped. */
void
idem_declared_refuse_needed(IdemDeclared *call, const char *sql)
{
	if (idem_declared_run(call, sql, false) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("%s \"%s\" cannot be dropped: %s", call->kind->name,
						call->name, idem_declared_text(0, 1))));
}
