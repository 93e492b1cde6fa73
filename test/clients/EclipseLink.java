// EclipseLink.java - EclipseLink 2.7, as a JPA provider; amounts are BigDecimal
import java.io.File;
import java.io.FileWriter;
import java.math.BigDecimal;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import javax.persistence.Column;
import javax.persistence.Entity;
import javax.persistence.EntityManager;
import javax.persistence.EntityManagerFactory;
import javax.persistence.GeneratedValue;
import javax.persistence.GenerationType;
import javax.persistence.Id;
import javax.persistence.Persistence;
import javax.persistence.Table;

public class EclipseLink {
	@Entity(name = "Payment") @Table(name = "payment")
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

	@Entity(name = "Account") @Table(name = "account")
	public static class Account {
		@Id public Long id;
		public BigDecimal balance;
	}

	interface Work { Object run(EntityManager m) throws Exception; }

	static EntityManagerFactory factory;

	static void say(String text) throws Exception {
		try (FileWriter w = new FileWriter(System.getenv("CLIENTS_RECORD"), true)) {
			w.write(text + "\n");
		}
	}

	static void step(String name, Work work) throws Exception {
		say("-- " + name);
		EntityManager m = factory.createEntityManager();
		m.getTransaction().begin();
		try {
			Object result = work.run(m);
			m.getTransaction().commit();
			if (result != null)
				say("--   gives " + result);
		} catch (RuntimeException e) {
			Throwable cause = e;
			while (cause.getCause() != null && !(cause instanceof java.sql.SQLException))
				cause = cause.getCause();
			say("--   raises " + e.getClass().getSimpleName() + " " +
				(cause instanceof java.sql.SQLException ? ((java.sql.SQLException) cause).getSQLState() : cause));
			if (m.getTransaction().isActive())
				m.getTransaction().rollback();
		} finally {
			m.close();
		}
	}

	static Payment payment(EntityManager m) { return m.find(Payment.class, 1L); }

	// A unit of persistence is described in a file on the class path
	static void unit() throws Exception {
		Path folder = Files.createTempDirectory("eclipselink");
		Files.createDirectories(folder.resolve("META-INF"));
		Files.writeString(folder.resolve("META-INF/persistence.xml"),
			"<persistence xmlns='http://xmlns.jcp.org/xml/ns/persistence' version='2.1'>" +
			"<persistence-unit name='clients' transaction-type='RESOURCE_LOCAL'>" +
			"<provider>org.eclipse.persistence.jpa.PersistenceProvider</provider>" +
			"<class>EclipseLink$Payment</class><class>EclipseLink$Account</class>" +
			"<exclude-unlisted-classes>true</exclude-unlisted-classes></persistence-unit></persistence>");
		ClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, EclipseLink.class.getClassLoader());
		Thread.currentThread().setContextClassLoader(loader);
		factory = Persistence.createEntityManagerFactory("clients", Map.of(
			"javax.persistence.jdbc.url", "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/postgres?sslmode=disable" + (System.getenv("POOLED") == null ? "" : "&prepareThreshold=0"),
			"javax.persistence.jdbc.user", "postgres", "javax.persistence.jdbc.password", "",
			"javax.persistence.jdbc.driver", "org.postgresql.Driver",
			"eclipselink.classloader", loader, "eclipselink.weaving", "false", "eclipselink.logging.level", "OFF"));
	}

	public static void main(String[] args) throws Exception {
		unit();
		step("insert a BigDecimal", m -> { m.persist(new Payment("12.34")); return null; });
		step("insert a whole BigDecimal", m -> { Payment p = new Payment("100"); m.persist(p); m.flush(); return p.id; });
		step("save, one field changed", m -> { payment(m).channelNo = "C1"; return null; });
		step("merge, detached", m -> { Payment p = new Payment("12.34"); p.id = 1L; p.channelNo = "C2"; m.merge(p); return null; });
		step("update the state", m -> { payment(m).status = "paying"; return null; });
		step("update the state by JPQL, again", m -> { m.createQuery("update Payment p set p.status = 'paying' where p.id = 1").executeUpdate(); return null; });
		step("decrement, read and write", m -> { Account a = m.find(Account.class, 1L); a.balance = a.balance.subtract(new BigDecimal("1.50")); return null; });
		step("decrement by JPQL", m -> { m.createQuery("update Account a set a.balance = a.balance - :n where a.id = 1").setParameter("n", new BigDecimal("1.50")).executeUpdate(); return null; });
		step("where", m -> m.createQuery("select count(p) from Payment p where p.amount > :n").setParameter("n", new BigDecimal("10")).getSingleResult());
		step("sum", m -> m.createQuery("select sum(p.amount) from Payment p").getSingleResult());
		step("read", m -> payment(m).amount);
		factory.close();
	}
}
