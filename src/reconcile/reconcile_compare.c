/*
 * reconcile_compare.c
 *		Both sides of a day, compared as the owner of the rule.
 *
 * What is compared are tables and views of the user's, whose functions may be
 * anybody's.  So the statement runs as REFRESH MATERIALIZED VIEW runs a view:
 * as the owner of the rule, in a security-restricted operation, with a search
 * path that holds nobody's objects; and besides in a transaction that is read
 * only until it is done.  Rows that row security would hide from the owner are
 * an error, not a difference.
 *
 * What a value is as text must not depend on who runs it, or the same key
 * would be another one tomorrow: so the settings that decide it are fixed, the
 * time zone among them.
 *
 * One statement, one snapshot: the latest one, taken when every table that is
 * read is locked.
 *
 * The rows it finds are given to the statements that keep them as a relation
 * "found", which holds what differs and one row for all that agrees in a
 * currency.  These are summed as they come, since a GROUP BY would cost as much
 * as a third of the join.  Where there are very many currencies, those after
 * the first are rows of their own.
 *
 * Shown by sql/reconcile_security.sql and sql/reconcile_attack.sql.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/int.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/identity.h"
#include "money/money.h"
#include "reconcile/reconcile.h"

/* Columns of what the statement returns */
enum
{
	FOUND_CURRENCY,
	FOUND_D,
	FOUND_KEYS,
	FOUND_OURS_LINES,
	FOUND_THEIRS_LINES,
	FOUND_OURS,
	FOUND_THEIRS,
	FOUND_FEE,
	FOUND_COLUMNS
};

/* What agrees, or is tolerated, in one currency */
typedef struct Sum
{
	text	   *currency;		/* or NULL */
	bool		nulls[FOUND_COLUMNS];
	Datum		values[FOUND_COLUMNS];
	int64		micros[FOUND_COLUMNS];	/* to be added to a sum */
} Sum;

#define MAX_SUMS			64

/* Sums what agrees, and gives the rest to a store. */
typedef struct Receiver
{
	DestReceiver pub;
	DestReceiver *rest;
	MemoryContext context;		/* of the sums */
	Sum		   *last;			/* the one that was met last, or NULL */
	int			nsums;
	Sum			sums[MAX_SUMS];
} Receiver;

/*
 * Settings of the comparison, until the identity is back.  The statement joins
 * two large sets by expressions about which nothing is known: hashed, whatever
 * the planner makes of them.
 */
static const char *const settings[][2] = {
	{"enable_mergejoin", "off"},
	{"bytea_output", "hex"},
	{"DateStyle", "ISO, YMD"},
	{"extra_float_digits", "1"},
	{"IntervalStyle", "postgres"},
	{"lc_monetary", "C"},
	{"TimeZone", "UTC"}
};

static void
set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static void
fix_settings(void)
{
	int			i;

	for (i = 0; i < lengthof(settings); i++)
		set(settings[i][0], settings[i][1]);
}

/*
 * What is planned from now on has no loop in a loop, however few rows it seems
 * to be about: until the nest level of settings that the caller made ends.
 * Where a loop cannot be left out, its cost is out of proportion: nothing is
 * compiled for that.
 */
void
idem_reconcile_hash(void)
{
	set("enable_nestloop", "off");
	set("jit", "off");
}

static bool
same_currency(const Sum *sum, const text *currency)
{
	Size		size;

	if (sum->currency == NULL || currency == NULL)
		return sum->currency == currency;
	size = VARSIZE_ANY_EXHDR(currency);
	return size == VARSIZE_ANY_EXHDR(sum->currency) &&
		memcmp(VARDATA_ANY(currency), VARDATA_ANY(sum->currency), size) == 0;
}

/* A new sum, of nothing yet; NULL if there are too many. */
static Sum *
add_sum(Receiver *receiver, const text *currency, TupleTableSlot *slot)
{
	Sum		   *sum = &receiver->sums[receiver->nsums];

	if (receiver->nsums == MAX_SUMS)
		return NULL;
	memset(sum, 0, sizeof(Sum));
	memset(sum->nulls, true, sizeof(sum->nulls));
	if (currency != NULL)
	{
		sum->currency = DatumGetTextPCopy(PointerGetDatum(currency));
		sum->values[FOUND_CURRENCY] = PointerGetDatum(sum->currency);
		sum->nulls[FOUND_CURRENCY] = false;
	}
	if (!slot->tts_isnull[FOUND_D])
	{
		sum->values[FOUND_D] =
			PointerGetDatum(PG_DETOAST_DATUM_COPY(slot->tts_values[FOUND_D]));
		sum->nulls[FOUND_D] = false;
	}
	receiver->nsums++;
	return sum;
}

/* The sum to which a row belongs, or NULL. */
static Sum *
find_sum(Receiver *receiver, TupleTableSlot *slot)
{
	bool		agrees = slot->tts_isnull[FOUND_D];
	text	   *currency = NULL;
	Sum		   *sum = receiver->last;
	int			i;

	if (!slot->tts_isnull[FOUND_CURRENCY])
		currency = DatumGetTextPP(slot->tts_values[FOUND_CURRENCY]);
	if (sum != NULL && sum->nulls[FOUND_D] == agrees &&
		same_currency(sum, currency))
		return sum;
	for (i = 0; i < receiver->nsums; i++)
	{
		sum = &receiver->sums[i];
		if (sum->nulls[FOUND_D] == agrees && same_currency(sum, currency))
			return receiver->last = sum;
	}
	return receiver->last = add_sum(receiver, currency, slot);
}

/* Is d of a row that is only counted: does it say its kind and no more? */
static bool
only_counted(Datum d)
{
	Jsonb	   *jb = DatumGetJsonbP(d);
	bool		result = JB_ROOT_COUNT(jb) == 1;

	if ((Pointer) jb != DatumGetPointer(d))
		pfree(jb);
	return result;
}

static void
count(Sum *sum, TupleTableSlot *slot, int column)
{
	sum->nulls[column] = false;
	sum->values[column] =
		Int64GetDatum(DatumGetInt64(sum->values[column]) +
					  DatumGetInt64(slot->tts_values[column]));
}

/*
 * Add a numeric, the slow way: the first one, which says how many decimals a
 * sum is shown with, what is no amount in millionths, and what overflows.
 */
static void
add_numeric(Sum *sum, int column, Datum number)
{
	Datum		before = sum->values[column];

	if (sum->nulls[column])
		sum->values[column] = DirectFunctionCall1(numeric_uplus, number);
	else
	{
		sum->values[column] = DirectFunctionCall2(numeric_add, before, number);
		pfree(DatumGetPointer(before));
	}
	sum->nulls[column] = false;
}

static void
add(Sum *sum, TupleTableSlot *slot, int column)
{
	struct varlena *number;
	int64		micros;

	if (slot->tts_isnull[column])
		return;
	number = PG_DETOAST_DATUM_PACKED(slot->tts_values[column]);
	if (sum->nulls[column] ||
		!idem_money_from_numeric_exact(number, &micros) ||
		pg_add_s64_overflow(sum->micros[column], micros, &micros))
		add_numeric(sum, column, PointerGetDatum(number));
	else
		sum->micros[column] = micros;
	if ((Pointer) number != DatumGetPointer(slot->tts_values[column]))
		pfree(number);
}

/* Where both sides agree, the sum of theirs is that of ours. */
static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;
	MemoryContext before;
	Sum		   *sum = NULL;

	slot_getallattrs(slot);
	before = MemoryContextSwitchTo(receiver->context);
	if (slot->tts_isnull[FOUND_D] || only_counted(slot->tts_values[FOUND_D]))
		sum = find_sum(receiver, slot);
	if (sum != NULL)
	{
		count(sum, slot, FOUND_KEYS);
		count(sum, slot, FOUND_OURS_LINES);
		count(sum, slot, FOUND_THEIRS_LINES);
		add(sum, slot, FOUND_OURS);
		if (!sum->nulls[FOUND_D])
			add(sum, slot, FOUND_THEIRS);
		add(sum, slot, FOUND_FEE);
	}
	MemoryContextSwitchTo(before);
	return sum != NULL || receiver->rest->receiveSlot(slot, receiver->rest);
}

static void
start_up(DestReceiver *self, int operation, TupleDesc desc)
{
	DestReceiver *rest = ((Receiver *) self)->rest;

	rest->rStartup(rest, operation, desc);
}

static void
shut_down(DestReceiver *self)
{
	DestReceiver *rest = ((Receiver *) self)->rest;

	rest->rShutdown(rest);
}

static void
destroy(DestReceiver *self)
{
	DestReceiver *rest = ((Receiver *) self)->rest;

	rest->rDestroy(rest);
	pfree(self);
}

/* The rest goes into the store as it comes: the server detoasts or converts. */
static Receiver *
make_receiver(Tuplestorestate *store)
{
	Receiver   *receiver = palloc0(sizeof(Receiver));

	receiver->rest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(receiver->rest, store, CurrentMemoryContext,
									true, NULL, NULL);
	receiver->pub.receiveSlot = receive;
	receiver->pub.rStartup = start_up;
	receiver->pub.rShutdown = shut_down;
	receiver->pub.rDestroy = destroy;
	receiver->pub.mydest = DestTuplestore;
	receiver->context = CurrentMemoryContext;
	return receiver;
}

/* Make sums of what was added in millionths. */
static void
finish_sum(Sum *sum)
{
	int			i;

	for (i = FOUND_OURS; i < FOUND_COLUMNS; i++)
	{
		Numeric		micros = int64_div_fast_to_numeric(sum->micros[i], 6);

		if (!sum->nulls[i])
			add_numeric(sum, i,
						DirectFunctionCall1(numeric_trim_scale,
											NumericGetDatum(micros)));
	}
	if (sum->nulls[FOUND_D])
	{
		sum->values[FOUND_THEIRS] = sum->values[FOUND_OURS];
		sum->nulls[FOUND_THEIRS] = sum->nulls[FOUND_OURS];
	}
}

/* Put the sums into the store, too. */
static void
store_sums(Receiver *receiver, Tuplestorestate *store, TupleDesc desc)
{
	int			i;

	for (i = 0; i < receiver->nsums; i++)
	{
		Sum		   *sum = &receiver->sums[i];

		finish_sum(sum);
		tuplestore_putvalues(store, desc, sum->values, sum->nulls);
	}
}

/* Become the owner of a rule; 42704 if there is no such role any longer. */
static void
become_owner(const char *owner, IdemIdentity *saved)
{
	idem_become_role(get_role_oid(owner, false), saved);
	idem_see_every_row();
	fix_settings();
}

static SPIPlanPtr
plan_statement(const char *sql)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, 0, NULL,
										  CURSOR_OPT_GENERIC_PLAN |
										  CURSOR_OPT_PARALLEL_OK);
	CachedPlan *cached = plan ? SPI_plan_get_cached_plan(plan) : NULL;

	if (cached == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	ReleaseCachedPlan(cached, NULL);
	return plan;
}

/* What the statement returns, in memory of the caller's SPI connection */
static TupleDesc
result_desc(SPIPlanPtr plan)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));

	return CreateTupleDescCopy(source->resultDesc);
}

/*
 * Run the statement into a store.  The transaction is read only meanwhile; on
 * ERROR the server puts that back when it aborts the (sub)transaction.
 */
static void
run_statement(SPIPlanPtr plan, Tuplestorestate *store, TupleDesc desc)
{
	bool		was_read_only = XactReadOnly;
	Receiver   *receiver = make_receiver(store);
	SPIExecuteOptions options = {0};

	options.read_only = true;
	options.dest = (DestReceiver *) receiver;
	PushActiveSnapshot(GetLatestSnapshot());
	XactReadOnly = true;
	if (SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not compare both sides");
	XactReadOnly = was_read_only;
	PopActiveSnapshot();
	store_sums(receiver, store, desc);
	receiver->pub.rDestroy(options.dest);
}

/* Make the rows of a store a relation that statements of SPI can read. */
static void
register_found(Tuplestorestate *store, TupleDesc desc)
{
	EphemeralNamedRelation found = palloc0(sizeof(EphemeralNamedRelationData));

	found->md.name = pstrdup("found");
	found->md.reliddesc = InvalidOid;
	found->md.tupdesc = desc;
	found->md.enrtype = ENR_NAMED_TUPLESTORE;
	found->md.enrtuples = tuplestore_tuple_count(store);
	found->reldata = store;
	if (SPI_register_relation(found) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register the rows that were found");
}

/*
 * Plan a comparison, which is what idem.reconciliation_query() says, as the
 * owner of the rule.  Every table that it reads is locked from now on.  One
 * that looks around joins what it found by itself, of which nothing is known;
 * others leave the views of both sides all ways to join.  42704 if the owner is
 * no role any longer; what the sides raise.
 */
SPIPlanPtr
idem_reconcile_plan(const char *sql, const char *owner, bool looks_around)
{
	IdemIdentity saved;
	SPIPlanPtr	plan;

	CommandCounterIncrement();
	become_owner(owner, &saved);
	if (looks_around)
		idem_reconcile_hash();
	plan = plan_statement(sql);
	idem_restore_identity(&saved);
	return plan;
}

/*
 * Compare both sides, as idem_reconcile_plan() planned it for the same owner;
 * what the sides raise.  Until SPI is left, "found" can be read.
 */
void
idem_reconcile_compare(SPIPlanPtr plan, const char *owner)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	TupleDesc	desc = result_desc(plan);
	IdemIdentity saved;

	become_owner(owner, &saved);
	run_statement(plan, store, desc);
	idem_restore_identity(&saved);
	SPI_freeplan(plan);
	register_found(store, desc);
}

/* Forget what was found, before both sides are compared again. */
void
idem_reconcile_forget(void)
{
	(void) SPI_unregister_relation("found");
}

/*
 * Is the statement one that the owner may run?  Run on no day, it reads
 * nothing.  What it cannot do is an error; nothing can be read afterwards.
 */
void
idem_reconcile_try(const char *sql, const char *owner)
{
	idem_reconcile_compare(idem_reconcile_plan(sql, owner, false), owner);
	idem_reconcile_forget();
}
