// pgx: the simple protocol behind a pooler in transaction mode
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

func main() {
	ctx := context.Background()
	key, amount := os.Args[1], `{"amount":88.00}`
	config, _ := pgx.ParseConfig(fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres sslmode=disable",
		os.Getenv("PGHOST"), os.Getenv("PGPORT")))
	config.PreferSimpleProtocol = os.Getenv("POOLED") != ""
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer c.Close(ctx)
	var granted, settled bool
	t, err := c.Begin(ctx)
	if err == nil {
		err = t.QueryRow(ctx, "SELECT granted FROM idem.claim('debit', $1, $2)", key, amount).Scan(&granted)
	}
	if err == nil {
		_, err = t.Exec(ctx, "INSERT INTO debit VALUES ($1, $2)", key, "88.00")
	}
	if err == nil && granted && t.Commit(ctx) == nil {
		fmt.Println("granted")
	}
	if c.QueryRow(ctx, "SELECT settled FROM idem.claim('debit', $1, $2)", key, amount).Scan(&settled) == nil && settled {
		fmt.Println("settled")
	}
	var refused *pgconn.PgError
	if _, err = c.Exec(ctx, "INSERT INTO debit VALUES ($1, $2)", key, "88.00"); errors.As(err, &refused) {
		fmt.Println("refused", refused.Code)
	}
	var token int64
	if err = c.QueryRow(ctx, "SELECT token FROM idem.reserve('payout', $1, $2)", key, amount).Scan(&token); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	rows, err := c.Query(ctx, "CALL idem.dispatch('payout', $1, $2)", key, token)
	if err == nil && rows.Next() {
		if values, _ := rows.Values(); len(values) > 0 && values[0] == "granted" {
			fmt.Println("dispatched")
		}
		rows.Close()
	} else {
		fmt.Fprintln(os.Stderr, err, rows.Err())
	}
	var sum string
	if err = c.QueryRow(ctx, "SELECT sum(amount)::text FROM debit WHERE message = $1", key).Scan(&sum); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Println("amount", sum)
}
