/*
 * ledger_argument.c
 *		What guard_balance() is asked for.
 *
 * Reads the arguments and refuses what contradicts itself, before any table
 * is looked at: 22004 for a NULL where a value has to be, 22023 for a value
 * that is none of the known ones, or for an argument without the one that it
 * needs.
 */
#include "postgres.h"

#include "base/argument.h"
#include "ledger/ledger_declare.h"

/* The places of the arguments, as ledger.sql has them. */
enum
{
	BALANCE = 3, DIRECTION, DEBIT, CREDIT, SIDE, NORMAL, NORMAL_COLUMN,
	FLOOR, CEILING, UNBOUNDED, SAME, CHILDREN, STATE, PENDING, RELEASED,
	FACTS, HELD, SHORTFALL, POSTS, OVER, EXPIRES_AT, BATCHED
};

/* debit or credit, or left out */
static char *
side_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	char	   *side = idem_text_argument(fcinfo, n);

	if (side != NULL && strcmp(side, "debit") != 0 &&
		strcmp(side, "credit") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for argument \"%s\" of idem.guard_balance: \"%s\"",
						name, side),
				 errhint("A side is debit or credit.")));
	return side;
}

static void
refuse_both(const char *one, const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("arguments \"%s\" and \"%s\" of idem.guard_balance exclude each other",
					one, other)));
}

/* Which side an entry is on, and what makes the account grow. */
static void
read_sides(FunctionCallInfo fcinfo, IdemBalanceDeclaration *d)
{
	d->direction = idem_text_argument(fcinfo, DIRECTION);
	d->debit = idem_text_argument(fcinfo, DEBIT);
	d->credit = idem_text_argument(fcinfo, CREDIT);
	d->side = side_argument(fcinfo, SIDE, "side");
	d->normal = side_argument(fcinfo, NORMAL, "normal");
	d->normal_column = idem_text_argument(fcinfo, NORMAL_COLUMN);

	if (d->direction != NULL && d->side != NULL)
		refuse_both("direction", "side");
	if (d->normal != NULL && d->normal_column != NULL)
		refuse_both("normal", "normal_column");
	if (d->direction != NULL && (d->debit == NULL || d->credit == NULL))
		idem_total_refuse_pairing(&d->total, "direction",
								  d->debit == NULL ? "debit" : "credit");
	if ((d->debit == NULL) != (d->credit == NULL))
		idem_total_refuse_pairing(&d->total, "debit", "credit");
	if (d->debit != NULL && strcmp(d->debit, d->credit) == 0)
		refuse_both("debit", "credit");
	if (d->direction == NULL && d->side == NULL)
	{
		if (d->normal != NULL || d->normal_column != NULL)
			idem_total_refuse_pairing(&d->total, "normal", "direction");
	}
	else if (d->normal == NULL && d->normal_column == NULL)
		idem_total_refuse_pairing(&d->total, d->side ? "side" : "direction",
								  "normal");
}

/* Which entries count, and how. */
static void
read_states(FunctionCallInfo fcinfo, IdemBalanceDeclaration *d)
{
	IdemTotalSource *of = &d->total.of;

	of->state = idem_text_argument(fcinfo, STATE);
	if (of->state != NULL && PG_ARGISNULL(RELEASED))
		idem_total_refuse_unsaid();
	of->released = idem_list_argument(fcinfo, RELEASED, "released");
	of->facts = idem_states_argument(fcinfo, FACTS, "facts");
	d->pending = idem_list_argument(fcinfo, PENDING, "pending");
	if (of->released != NIL && of->state == NULL)
		idem_total_refuse_pairing(&d->total, "released", "state");
	if (d->pending != NIL && of->state == NULL)
		idem_total_refuse_pairing(&d->total, "pending", "state");
	if (of->facts != NIL && !idem_total_is_everything(of->facts) &&
		of->state == NULL)
		idem_total_refuse_pairing(&d->total, "facts", "state");
	idem_total_refuse_overlap("facts", of->facts, "released", of->released);
	idem_total_refuse_overlap("facts", of->facts, "pending", d->pending);
	idem_total_refuse_overlap("pending", d->pending, "released", of->released);
}

/* What is held, and posted. */
static void
read_holds(FunctionCallInfo fcinfo, IdemBalanceDeclaration *d)
{
	d->posts = idem_text_argument(fcinfo, POSTS);
	d->expires_at = idem_text_argument(fcinfo, EXPIRES_AT);
	idem_require_argument(fcinfo, OVER, "over");
	d->over = PG_GETARG_BOOL(OVER);
	if (d->pending != NIL)
		d->held = idem_required_text(fcinfo, HELD, "held");
	if (d->total.of.facts != NIL || d->over)
		d->shortfall = idem_required_text(fcinfo, SHORTFALL, "shortfall");
	if (d->posts != NULL && d->pending == NIL)
		idem_total_refuse_pairing(&d->total, "posts", "pending");
	if (d->expires_at != NULL && d->pending == NIL)
		idem_total_refuse_pairing(&d->total, "expires_at", "pending");
	if (d->over && d->posts == NULL)
		idem_total_refuse_pairing(&d->total, "over", "posts");
	if (d->posts != NULL && d->total.editable)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("entries that post holds cannot be editable")));
}

/*
 * The arguments of both forms, of which one takes several columns as fk; the
 * order stands in ledger.sql.
 */
void
idem_balance_read_arguments(FunctionCallInfo fcinfo, bool many,
							IdemBalanceDeclaration *d)
{
	idem_total_read_arguments(fcinfo, many, SAME, CHILDREN, &d->total);
	d->total.of.total = idem_required_text(fcinfo, BALANCE, "balance");
	d->floor = idem_text_argument(fcinfo, FLOOR);
	d->ceiling = idem_text_argument(fcinfo, CEILING);
	d->unbounded = idem_text_argument(fcinfo, UNBOUNDED);
	read_sides(fcinfo, d);
	read_states(fcinfo, d);
	read_holds(fcinfo, d);
	idem_require_argument(fcinfo, BATCHED, "batched");
	d->batched = PG_GETARG_BOOL(BATCHED);
	if (d->batched && d->unbounded == NULL)
		idem_total_refuse_pairing(&d->total, "batched", "unbounded");
	if (d->unbounded != NULL && d->floor == NULL && d->ceiling == NULL)
		idem_total_refuse_pairing(&d->total, "unbounded", "floor");
}
