/*
 * key_time.c
 *		Keys that carry their own time.
 *
 * A UUID of version 7, or a date in front of the key or of its first part.  The
 * time is a fixed function of the key's bytes: no session's time zone enters
 * it, and a date is the beginning of the day in UTC.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "base/idem_errors.h"
#include "key/key_inner.h"

#define UUID_TEXT_LEN		36
#define UNIX_EPOCH_USECS \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* A number of so many decimal digits, or -1. */
static int
decimal(const char *s, int digits)
{
	int			value = 0;

	for (; digits > 0; digits--, s++)
	{
		if (*s < '0' || *s > '9')
			return -1;
		value = value * 10 + (*s - '0');
	}
	return value;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The beginning of a day of the calendar, in UTC; false if there is none. */
static bool
day_begin(int year, int month, int day, TimestampTz *time)
{
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*time = (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	return true;
}

static bool
read_date(const char *s, int len, TimestampTz *time)
{
	return len >= 8 &&
		day_begin(decimal(s, 4), decimal(s + 4, 2), decimal(s + 6, 2), time);
}

static bool
read_iso_date(const char *s, int len, TimestampTz *time)
{
	return len >= 10 && s[4] == '-' && s[7] == '-' &&
		day_begin(decimal(s, 4), decimal(s + 5, 2), decimal(s + 8, 2), time);
}

/* xxxxxxxx-xxxx-7xxx-[89ab]xxx-xxxxxxxxxxxx; the first 48 bits are a time. */
static bool
read_uuidv7(const char *s, int len, TimestampTz *time)
{
	int64		millis = 0;
	int			i;

	if (len < UUID_TEXT_LEN || s[14] != '7' ||
		(hex_digit(s[19]) & ~3) != 8)
		return false;
	for (i = 0; i < UUID_TEXT_LEN; i++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : hex_digit(s[i]) < 0)
			return false;
		if (i < 13 && !dash)
			millis = millis << 4 | hex_digit(s[i]);
	}
	*time = millis * 1000 - UNIX_EPOCH_USECS;
	return true;
}

static const struct
{
	const char *name;			/* as create_scope has it */
	const char *what;			/* for errors */
	bool		(*read) (const char *s, int len, TimestampTz *time);
}			key_times[] =

{
	[IDEM_TIME_UUIDV7] = {"uuidv7", "a UUID of version 7", read_uuidv7},
	[IDEM_TIME_DATE] = {"YYYYMMDD", "a date as YYYYMMDD", read_date},
	[IDEM_TIME_ISO_DATE] = {"YYYY-MM-DD", "a date as YYYY-MM-DD", read_iso_date}
};

/* The key_time of this name; 22023 if it is none. */
IdemKeyTime
idem_key_time_named(const char *name)
{
	int			i;

	for (i = 1; i < (int) lengthof(key_times); i++)
	{
		if (strcmp(name, key_times[i].name) == 0)
			return (IdemKeyTime) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid key_time \"%s\" of a scope", name),
			 errhint("It is 'uuidv7', 'YYYYMMDD' or 'YYYY-MM-DD'.")));
	return IDEM_TIME_NONE;		/* keep the compiler quiet */
}

/* The time in front of a key, or of its first part; false: none is there. */
bool
idem_key_read_time(const IdemScope *scope, const text *key,
				   TimestampTz *time)
{
	const char *s = VARDATA_ANY(key);
	int			len = VARSIZE_ANY_EXHDR(key);

	if (scope->parts > 0)
		s = idem_key_first_part(s, &len);
	return key_times[scope->key_time].read(s, len, time);
}

/*
 * The time that a key carries.  0 in a scope whose keys carry none; 22I01 if
 * this one carries none.  The caller has checked the key.
 */
TimestampTz
idem_key_time_of(const IdemScope *scope, const text *key)
{
	TimestampTz time;

	if (scope->key_time == IDEM_TIME_NONE)
		return 0;
	if (!idem_key_read_time(scope, key, &time))
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_INVALID_KEY),
				 errmsg("idempotency key does not begin with %s",
						key_times[scope->key_time].what),
				 scope->name[0] == '\0' ?	/* asked by idem.key_time */
				 errdetail("The time of such keys is read as \"%s\".",
						   key_times[scope->key_time].name) :
				 errdetail("Scope \"%s\" tells by it which keys are too old to be known.",
						   scope->name)));
	return time;
}

/*
 * key_time(key, key_time, parts) -> timestamptz
 */
PG_FUNCTION_INFO_V1(idem_key_time_sql);
Datum
idem_key_time_sql(PG_FUNCTION_ARGS)
{
	text	   *key = PG_GETARG_TEXT_PP(0);
	IdemScope	scope = {.any_charset = true};

	scope.key_time = idem_key_time_named(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	scope.parts = PG_GETARG_INT32(2);
	idem_key_check(&scope, key);
	PG_RETURN_TIMESTAMPTZ(idem_key_time_of(&scope, key));
}

/*
 * known_key_time(key, key_time, parts) -> timestamptz
 *
 * The same for a key that is known: NULL for one of another form, claimed
 * before the scope required this form.
 */
PG_FUNCTION_INFO_V1(idem_known_key_time);
Datum
idem_known_key_time(PG_FUNCTION_ARGS)
{
	IdemScope	scope = {.any_charset = true};
	TimestampTz time;
	text	   *key;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	key = PG_GETARG_TEXT_PP(0);
	scope.key_time = idem_key_time_named(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	scope.parts = PG_GETARG_INT32(2);
	if (!idem_key_has_form(&scope, key) ||
		!idem_key_read_time(&scope, key, &time))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(time);
}
