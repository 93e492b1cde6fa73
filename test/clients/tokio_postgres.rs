// tokio_postgres.rs - tokio-postgres, which sends values in binary with the
// types that the server tells it
use std::fs::OpenOptions;
use std::io::Write;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

fn say(text: &str) {
    let path = std::env::var("CLIENTS_RECORD").unwrap();
    let mut record = OpenOptions::new().append(true).open(path).unwrap();
    writeln!(record, "{}", text).unwrap();
}

async fn step(client: &Client, name: &str, sql: &str, types: &[Type], values: &[&(dyn ToSql + Sync)]) {
    say(&format!("-- {}", name));
    let result = match client.prepare_typed(sql, types).await {
        Ok(statement) => client.query(&statement, values).await,
        Err(e) => Err(e),
    };
    match result {
        Ok(rows) if !rows.is_empty() => match rows[0].try_get::<_, String>(0) {
            Ok(text) => say(&format!("--   gives {:?}", text)),
            Err(e) => say(&format!("--   raises {}", e)),
        },
        Ok(_) => (),
        Err(e) => match e.code() {
            Some(code) => say(&format!("--   raises {}", code.code())),
            None => say(&format!("--   raises {}", e)),
        },
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let port = std::env::var("PGPORT").unwrap();
    let place = format!("host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=disable", port);
    let (client, connection) = tokio_postgres::connect(&place, NoTls).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    let c = &client;
    let insert = "INSERT INTO payment (amount, currency, status) VALUES ($1, 'EUR', 'created')";
    step(c, "insert text", insert, &[], &[&"12.34"]).await;
    step(c, "insert text, declared as text", insert, &[Type::TEXT], &[&"12.34"]).await;
    step(c, "insert text, cast in the statement", "INSERT INTO payment (amount, currency, status) VALUES ($1::text::money_micro, 'EUR', 'created')", &[], &[&"12.34"]).await;
    step(c, "insert an integer", insert, &[], &[&5_i64]).await;
    step(c, "insert an integer, declared as bigint", insert, &[Type::INT8], &[&5_i64]).await;
    step(c, "insert minor units", "INSERT INTO payment (amount, currency, status) VALUES (idem.from_minor($1, 'EUR'), 'EUR', 'created')", &[], &[&1234_i64]).await;
    step(c, "decrement by text, cast in the statement", "UPDATE account SET balance = balance - $1::text::money_micro WHERE id = 1", &[], &[&"1.50"]).await;
    step(c, "read", "SELECT amount FROM payment WHERE id = 1", &[], &[]).await;
    step(c, "read as text", "SELECT amount::text FROM payment WHERE id = 1", &[], &[]).await;
}
