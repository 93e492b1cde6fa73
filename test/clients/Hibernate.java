// Hibernate.java - Hibernate 3.6; amounts are BigDecimal
import java.io.FileWriter;
import java.math.BigDecimal;
import javax.persistence.Column;
import javax.persistence.Entity;
import javax.persistence.GeneratedValue;
import javax.persistence.GenerationType;
import javax.persistence.Id;
import javax.persistence.Table;
import org.hibernate.JDBCException;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.Transaction;
import org.hibernate.cfg.Configuration;

public class Hibernate {
	@Entity @Table(name = "payment")
	public static class Payment {
		@Id @GeneratedValue(strategy = GenerationType.IDENTITY) public Long id;
		public BigDecimal amount;
		public String currency;
		@Column(name = "channel_no") public String channelNo;
		public String status;

		public Payment() { }

		public Payment(String amount) {
			this.amount = new BigDecimal(amount);
			this.currency = "EUR";
			this.status = "created";
		}
	}

	@Entity @Table(name = "account")
	public static class Account {
		@Id public Long id;
		public BigDecimal balance;
	}

	interface Work { Object run(Session s) throws Exception; }

	static SessionFactory factory;

	static void say(String text) throws Exception {
		try (FileWriter w = new FileWriter(System.getenv("CLIENTS_RECORD"), true)) {
			w.write(text + "\n");
		}
	}

	static void step(String name, Work work) throws Exception {
		say("-- " + name);
		Session s = factory.openSession();
		Transaction t = s.beginTransaction();
		try {
			Object result = work.run(s);
			t.commit();
			if (result != null)
				say("--   gives " + result);
		} catch (JDBCException e) {
			t.rollback();
			say("--   raises " + e.getClass().getSimpleName() + " " + e.getSQLState());
		} finally {
			s.close();
		}
	}

	static Payment payment(Session s) { return (Payment) s.get(Payment.class, 1L); }

	public static void main(String[] args) throws Exception {
		Thread.currentThread().setContextClassLoader(Hibernate.class.getClassLoader());
		factory = new Configuration()
			.setProperty("hibernate.connection.driver_class", "org.postgresql.Driver")
			.setProperty("hibernate.connection.url", "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/postgres?sslmode=disable" + (System.getenv("POOLED") == null ? "" : "&prepareThreshold=0"))
			.setProperty("hibernate.connection.username", "postgres")
			.setProperty("hibernate.dialect", "org.hibernate.dialect.PostgreSQLDialect")
			.setProperty("hibernate.temp.use_jdbc_metadata_defaults", "false")
			.addAnnotatedClass(Payment.class).addAnnotatedClass(Account.class).buildSessionFactory();
		step("insert a BigDecimal", s -> { s.save(new Payment("12.34")); return null; });
		step("insert a whole BigDecimal", s -> { s.save(new Payment("100")); return null; });
		step("save, one field changed", s -> { payment(s).channelNo = "C1"; return null; });
		step("save, nothing changed", s -> { payment(s).status = "created"; return null; });
		step("update, detached", s -> { Payment p = new Payment("12.34"); p.id = 1L; p.channelNo = "C2"; s.update(p); return null; });
		step("merge, detached", s -> { Payment p = new Payment("12.34"); p.id = 1L; p.channelNo = "C3"; s.merge(p); return null; });
		step("update the state", s -> { payment(s).status = "paying"; return null; });
		step("update the state by HQL, again", s -> { s.createQuery("update Hibernate$Payment set status = :s where id = 1").setString("s", "paying").executeUpdate(); return null; });
		step("decrement, read and write", s -> { Account a = (Account) s.get(Account.class, 1L); a.balance = a.balance.subtract(new BigDecimal("1.50")); return null; });
		step("decrement by HQL", s -> { s.createQuery("update Hibernate$Account set balance = balance - :n where id = 1").setBigDecimal("n", new BigDecimal("1.50")).executeUpdate(); return null; });
		step("where", s -> s.createQuery("select count(*) from Hibernate$Payment where amount > :n").setBigDecimal("n", new BigDecimal("10")).uniqueResult());
		step("sum", s -> s.createQuery("select sum(amount) from Hibernate$Payment").uniqueResult());
		step("read", s -> payment(s).amount);
		factory.close();
	}
}
