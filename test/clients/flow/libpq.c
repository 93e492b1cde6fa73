/* libpq: parameters as text, without a type; the SQLSTATE is a field of the result */
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

static PGconn *conn;

/* The first value of the first row, or the SQLSTATE */
static const char *
ask(const char *sql, int n, const char *key, const char *more)
{
	const char *values[2] = {key, more};
	PGresult   *res = PQexecParams(conn, sql, n, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) > 0)
		return PQgetvalue(res, 0, 0);
	return PQresultStatus(res) == PGRES_COMMAND_OK ? "" :
		PQresultErrorField(res, PG_DIAG_SQLSTATE);
}

int
main(int argc, char **argv)
{
	const char *key = argv[1];
	const char *claim = "SELECT granted, settled FROM idem.claim('debit', $1, '{\"amount\":88.00}')";
	const char *token;
	const char *settled = "SELECT settled FROM idem.claim('debit', $1, '{\"amount\":88.00}')";

	if (argc != 2)
		return 2;
	conn = PQconnectdb("");
	ask("BEGIN", 0, NULL, NULL);
	if (*ask(claim, 1, key, NULL) == 't')
		puts("granted");
	ask("INSERT INTO debit VALUES ($1, $2)", 2, key, "88.00");
	ask("COMMIT", 0, NULL, NULL);
	if (*ask(settled, 1, key, NULL) == 't')
		puts("settled");
	printf("refused %s\n", ask("INSERT INTO debit VALUES ($1, $2)", 2, key, "88.00"));
	token = ask("SELECT token FROM idem.reserve('payout', $1, '{\"amount\":88.00}')", 1, key, NULL);
	if (strcmp(ask("CALL idem.dispatch('payout', $1, $2)", 2, key, token), "granted") == 0)
		puts("dispatched");
	printf("amount %s\n", ask("SELECT sum(amount) FROM debit WHERE message = $1", 1, key, NULL));
	return 0;
}
