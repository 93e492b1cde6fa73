/*
 * bound_keys_rows.c
 *		The kinds of guards of a table of keys, and questions about its rows.
 *
 * Rows from before the declaration, and what came in by other ways, are held
 * against what a new row is held against: a key that a claim would take, a
 * request that has the fields, a response where one is required.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/jsonb.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/right.h"
#include "base/rows.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_write.h"
#include "bound/bound_keys.h"
#include "bound/bound_rows.h"
#include "key/key_request.h"

/* What is known of the rows read so far */
typedef struct KeysTally
{
	BoundTable *table;
	int			request;		/* column of the query; 0: none */
	int			response;
	uint64		wrong;
	char	   *example;		/* the smallest key, and what is wrong */
} KeysTally;

/* What is wrong with a row, or NULL */
static const char *
row_flaw(const KeysTally *tally, const Datum *values, HeapTuple row,
		 TupleDesc desc)
{
	const char *flaw = idem_bound_key_flaw(&tally->table->key,
										   &tally->table->form, values);
	bool		isnull = false;
	Datum		request;

	if (flaw != NULL)
		return psprintf("is no key: it %s", flaw);
	if (tally->request > 0)
	{
		request = SPI_getbinval(row, desc, tally->request, &isnull);
		if (isnull || !idem_key_has_fields(&tally->table->form,
										   DatumGetJsonbP(request)))
			return "has a request that lacks a field";
	}
	if (tally->response > 0)
		(void) SPI_getbinval(row, desc, tally->response, &isnull);
	return isnull ? "has no response" : NULL;
}

/* Hold one row against the rule (IdemBoundRow). */
static void
judge_row(void *arg, HeapTuple row, TupleDesc desc, MemoryContext result)
{
	KeysTally  *tally = arg;
	int			n = tally->table->key.ncolumns;
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool		isnull = false;
	const char *flaw;
	char	   *shown;
	int			i;

	for (i = 0; i < n && !isnull; i++)
		values[i] = SPI_getbinval(row, desc, i + 1, &isnull);
	flaw = isnull ? "has no key" : row_flaw(tally, values, row, desc);
	if (flaw == NULL)
		return;
	tally->wrong++;
	shown = SPI_getvalue(row, desc, n);
	shown = psprintf("\"%s\", which %s", shown ? shown : "null", flaw);
	if (tally->example == NULL || strcmp(shown, tally->example) < 0)
		tally->example = MemoryContextStrdup(result, shown);
}

/* The columns to read: those of the key, then request and response. */
static List *
columns_to_read(const IdemGuard *guard, KeysTally *tally)
{
	List	   *columns = idem_setting_list(guard->settings, "key");
	const char *request = idem_setting(guard->settings, "request");
	const char *response = idem_setting(guard->settings, "response");

	if (request != NULL)
	{
		columns = lappend(columns, unconstify(char *, request));
		tally->request = list_length(columns);
	}
	if (response != NULL && tally->table->required)
	{
		columns = lappend(columns, unconstify(char *, response));
		tally->response = list_length(columns);
	}
	return columns;
}

/* Rows of a table, or of one that becomes a partition of it, or NULL. */
static char *
check_keys(const IdemGuard *guard, Oid rows)
{
	Relation	rel = relation_open(rows, AccessShareLock);
	bool		may_read = idem_may_read(rel);
	KeysTally	tally = {0};
	List	   *columns;

	tally.table = idem_bound_table_read(rel, guard->settings);
	columns = columns_to_read(guard, &tally);
	idem_bound_each_row(rel, columns, judge_row, &tally);
	relation_close(rel, AccessShareLock);
	if (tally.wrong == 0)
		return NULL;
	return psprintf(UINT64_FORMAT " %s that no claim would take%s%s",
					tally.wrong, tally.wrong == 1 ? "row" : "rows",
					may_read ? ", for example " : "",
					may_read ? tally.example : "");
}

/* Is there an index that decides who has a key? */
static char *
check_shape(const IdemGuard *guard, Snapshot snapshot)
{
	List	   *columns = idem_setting_list(guard->settings, "key");

	return OidIsValid(idem_bound_arbiter_named(guard->relid, columns,
											   snapshot)) ? NULL :
		psprintf("there is no unique constraint on exactly %s",
				 idem_list_text(columns));
}

static bool
takes_type(const char *setting, Oid type)
{
	BoundForm	form;

	if (strcmp(setting, "request") == 0)
		return type == JSONBOID;
	return strcmp(setting, "key") != 0 || idem_bound_form(type, &form);
}

static const IdemSetting keys_settings[] = {
	{"key", IDEM_LIST, IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN |
	IDEM_SETTING_NOT_NULL | IDEM_SETTING_ORDERED, NULL},
	{"request", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"fields", IDEM_LIST, 0, NULL},
	{"response", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"completion", IDEM_CHOICE, 0, "required"},
	{"charset", IDEM_CHOICE, 0, "any"},
	{NULL, IDEM_WORD, 0, NULL}
};

static const IdemSetting repeats_settings[] = {
	{"key", IDEM_LIST, IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN |
	IDEM_SETTING_NOT_NULL | IDEM_SETTING_ORDERED, NULL},
	{"request", IDEM_WORD, IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN, NULL},
	{"fields", IDEM_LIST, IDEM_SETTING_REQUIRED, NULL},
	{NULL, IDEM_WORD, 0, NULL}
};

static const int16 keys_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const int16 repeats_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT, 0
};

static const IdemGuardKind keys_kind = {
	.kind = "keys",
	.function = "keep_keys",
	.on_shards = true,
	.decides = true,
	.declares = "guard_keys",
	.keeps_rows = true,
	.settings = keys_settings,
	.types = keys_types,
	.check_rows = check_keys,
	.validates = true,
	.remedy = "find out what these rows are: a repeat of them is not told from a new request as others are",
	.check_attached = check_keys,
	.check_detached = idem_check_kept_rows,
	.check_shape = check_shape,
	.takes_type = takes_type,
	.together = "repeats",
	.named_by = "keys"
};

static const IdemGuardKind repeats_kind = {
	.kind = "repeats",
	.function = "keep_repeats",
	.on_shards = true,
	.decides = true,
	.settings = repeats_settings,
	.types = repeats_types,
	.check_shape = check_shape,
	.takes_type = takes_type
};

/* Register the kinds keys and repeats: from _PG_init. */
void
idem_bound_keys_rows_init(void)
{
	idem_register_kind(&keys_kind);
	idem_register_kind(&repeats_kind);
}
