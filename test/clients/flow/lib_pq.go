// lib/pq: binary_parameters=yes behind a pooler in transaction mode
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/lib/pq"
)

func main() {
	key, amount, pooled := os.Args[1], `{"amount":88.00}`, "no"
	if os.Getenv("POOLED") != "" {
		pooled = "yes"
	}
	db, _ := sql.Open("postgres", fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres sslmode=disable binary_parameters=%s",
		os.Getenv("PGHOST"), os.Getenv("PGPORT"), pooled))
	var granted, settled bool
	t, err := db.Begin()
	if err == nil {
		err = t.QueryRow("SELECT granted FROM idem.claim('debit', $1, $2)", key, amount).Scan(&granted)
	}
	if err == nil {
		_, err = t.Exec("INSERT INTO debit VALUES ($1, $2)", key, "88.00")
	}
	if err == nil && granted && t.Commit() == nil {
		fmt.Println("granted")
	}
	if db.QueryRow("SELECT settled FROM idem.claim('debit', $1, $2)", key, amount).Scan(&settled) == nil && settled {
		fmt.Println("settled")
	}
	var refused *pq.Error
	if _, err = db.Exec("INSERT INTO debit VALUES ($1, $2)", key, "88.00"); errors.As(err, &refused) {
		fmt.Println("refused", refused.Code)
	}
	var token int64
	var outcome string
	db.QueryRow("SELECT token FROM idem.reserve('payout', $1, $2)", key, amount).Scan(&token)
	rows, err := db.Query("CALL idem.dispatch('payout', $1, $2)", key, token)
	if err == nil && rows.Next() {
		names, _ := rows.Columns()
		values := make([]interface{}, len(names))
		for i := range values {
			values[i] = new(interface{})
		}
		values[0] = &outcome
		if rows.Scan(values...) == nil && outcome == "granted" {
			fmt.Println("dispatched")
		}
		rows.Close()
	}
	var sum string
	db.QueryRow("SELECT sum(amount) FROM debit WHERE message = $1", key).Scan(&sum)
	fmt.Println("amount", sum)
}
