// Jdbc.java - the JDBC driver as it is
import java.io.FileWriter;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;

class Jdbc {
	interface Work { Object run() throws Exception; }

	static void say(String text) throws Exception {
		try (FileWriter w = new FileWriter(System.getenv("CLIENTS_RECORD"), true)) {
			w.write(text + "\n");
		}
	}

	static void step(String name, Work work) throws Exception {
		say("-- " + name);
		try {
			Object result = work.run();
			if (result != null)
				say("--   gives " + result);
		} catch (SQLException e) {
			say("--   raises " + e.getSQLState());
		}
	}

	static Connection db;
	static final String INSERT = "INSERT INTO payment (amount, currency, status) VALUES (?, 'EUR', 'created')";
	static final String DECREMENT = "UPDATE account SET balance = balance - ? WHERE id = 1";

	interface Bind { void to(PreparedStatement s) throws SQLException; }

	static Work run(String sql, Bind bind) {
		return () -> {
			try (PreparedStatement s = db.prepareStatement(sql)) {
				bind.to(s);
				s.executeUpdate();
			}
			return null;
		};
	}

	static Object read(String sql) throws SQLException {
		try (Statement s = db.createStatement(); ResultSet r = s.executeQuery(sql)) {
			r.next();
			return r.getBigDecimal(1);
		}
	}

	public static void main(String[] args) throws Exception {
		db = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/postgres?sslmode=disable" + (System.getenv("POOLED") == null ? "" : "&prepareThreshold=0"), "postgres", "");
		step("insert a BigDecimal", run(INSERT, s -> s.setBigDecimal(1, new BigDecimal("12.34"))));
		step("insert a whole BigDecimal", run(INSERT, s -> s.setBigDecimal(1, new BigDecimal("100"))));
		step("insert a BigDecimal with an exponent", run(INSERT, s -> s.setBigDecimal(1, new BigDecimal("1E+3"))));
		step("insert an object", run(INSERT, s -> s.setObject(1, new BigDecimal("12.34"))));
		step("insert an int", run(INSERT, s -> s.setInt(1, 5)));
		step("insert a long", run(INSERT, s -> s.setLong(1, 5)));
		step("insert a double", run(INSERT, s -> s.setDouble(1, 12.34)));
		step("insert a String", run(INSERT, s -> s.setString(1, "12.34")));
		step("insert a String as OTHER", run(INSERT, s -> s.setObject(1, "12.34", Types.OTHER)));
		step("insert null", run("UPDATE account SET balance = coalesce(?, balance) WHERE id = 1", s -> s.setNull(1, Types.NUMERIC)));
		step("generated key", () -> {
			try (PreparedStatement s = db.prepareStatement(INSERT, Statement.RETURN_GENERATED_KEYS)) {
				s.setBigDecimal(1, new BigDecimal("1.00"));
				s.executeUpdate();
				ResultSet r = s.getGeneratedKeys();
				r.next();
				return r.getLong("id");
			}
		});
		step("decrement by a BigDecimal", run(DECREMENT, s -> s.setBigDecimal(1, new BigDecimal("1.50"))));
		step("decrement by a whole BigDecimal", run(DECREMENT, s -> s.setBigDecimal(1, new BigDecimal("1"))));
		step("decrement by an int", run(DECREMENT, s -> s.setInt(1, 1)));
		step("decrement by a String", run(DECREMENT, s -> s.setString(1, "1.50")));
		step("batch", () -> {
			try (PreparedStatement s = db.prepareStatement(INSERT)) {
				for (String amount : new String[] {"1.10", "2"}) {
					s.setBigDecimal(1, new BigDecimal(amount));
					s.addBatch();
				}
				s.executeBatch();
			}
			return null;
		});
		step("read a BigDecimal", () -> read("SELECT amount FROM payment WHERE id = 1"));
		step("sum", () -> read("SELECT sum(amount) FROM payment"));
		db.close();
	}
}
