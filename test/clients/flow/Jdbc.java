// JDBC: prepareThreshold=0 behind a pooler in transaction mode
import java.math.BigDecimal;
import java.sql.*;

public class Jdbc {
	static Connection c;

	static ResultSet ask(String sql, Object... values) throws SQLException {
		PreparedStatement s = c.prepareStatement(sql);
		for (int i = 0; i < values.length; i++)
			s.setObject(i + 1, values[i]);
		if (!s.execute())
			return null;
		ResultSet r = s.getResultSet();
		r.next();
		return r;
	}

	public static void main(String[] args) throws Exception {
		String key = args[0];
		String amount = "{\"amount\":88.00}";
		c = DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT")
			+ "/postgres?user=postgres" + (System.getenv("POOLED") != null ? "&prepareThreshold=0" : ""));
		c.setAutoCommit(false);
		if (ask("SELECT granted FROM idem.claim('debit', ?, ?::jsonb)", key, amount).getBoolean(1))
			System.out.println("granted");
		ask("INSERT INTO debit VALUES (?, ?)", key, new BigDecimal("88.00"));
		c.commit();
		if (ask("SELECT settled FROM idem.claim('debit', ?, ?::jsonb)", key, amount).getBoolean(1))
			System.out.println("settled");
		c.commit();
		try {
			ask("INSERT INTO debit VALUES (?, ?)", key, new BigDecimal("88.00"));
		} catch (SQLException e) {
			System.out.println("refused " + e.getSQLState());
		}
		c.rollback();
		long token = ask("SELECT token FROM idem.reserve('payout', ?, ?::jsonb)", key, amount).getLong(1);
		c.commit();
		c.setAutoCommit(true);
		if (ask("CALL idem.dispatch('payout', ?, ?)", key, token).getBoolean(2))
			System.out.println("dispatched");
		System.out.println("amount " + new BigDecimal(ask("SELECT sum(amount) FROM debit WHERE message = ?", key).getString(1)));
	}
}
