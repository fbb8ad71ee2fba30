using ChatBackend.Infrastructure.Database;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

public sealed class DatabaseUrlTests
{
    [Theory]
    [InlineData("postgres://u:p@h/db", "h", 5432, "u", "p", "db")]
    [InlineData("postgresql://u:p@h:6543/db", "h", 6543, "u", "p", "db")]
    [InlineData("  postgres://u:p@h/db\n", "h", 5432, "u", "p", "db")]
    [InlineData("POSTGRES://u:p@h/db", "h", 5432, "u", "p", "db")]
    [InlineData("postgres://u:p%40ss@h/db", "h", 5432, "u", "p@ss", "db")]
    [InlineData("postgres://u:p@ss@h/db", "h", 5432, "u", "p@ss", "db")]
    [InlineData("postgres://u:a%3Ab%2Fc%3Bd%22e%27f%25g%23h%20i@h/db", "h", 5432, "u", "a:b/c;d\"e'f%g#h i", "db")]
    [InlineData("postgres://u:a;b=c@h/db", "h", 5432, "u", "a;b=c", "db")]
    [InlineData("postgres://u:a+b@h/db", "h", 5432, "u", "a+b", "db")]
    [InlineData("postgres://u:a+b%40c@h/db", "h", 5432, "u", "a+b@c", "db")]
    [InlineData("postgres://u:100%25@h/db", "h", 5432, "u", "100%", "db")]
    [InlineData("postgres://u:%C3%A9%D9%86@h/db", "h", 5432, "u", "éن", "db")]
    [InlineData("postgres://u%40corp:p@h/my%2Fdb", "h", 5432, "u@corp", "p", "my/db")]
    [InlineData("postgres://u@h/db", "h", 5432, "u", null, "db")]
    [InlineData("postgres://h/db", "h", 5432, null, null, "db")]
    [InlineData("postgres://u:p@h", "h", 5432, "u", "p", null)]
    [InlineData("postgres://u:p@[::1]:5433/db", "::1", 5433, "u", "p", "db")]
    [InlineData("postgres://u:p@[2001:db8::1]/db", "2001:db8::1", 5432, "u", "p", "db")]
    [InlineData("postgres://u:p@a,b:6000/db", "a,b:6000", 5432, "u", "p", "db")]
    [InlineData("Host=h;Username=u;Password=p;Database=db", "h", 5432, "u", "p", "db")]
    [InlineData("Server=h;Port=6000;User Id=u;Password=\"p;q\";Database=db", "h", 6000, "u", "p;q", "db")]
    public void Both_forms_are_read(string url, string host, int port, string? user, string? password, string? database)
    {
        var settings = DatabaseUrl.Parse(url);

        Assert.Equal((host, port, user, password, database), (settings.Host, settings.Port, settings.Username, settings.Password, settings.Database));
    }

    [Fact]
    public void Neons_own_address_works_with_its_pooler()
    {
        var settings = DatabaseUrl.Parse("postgresql://neondb_owner:npg_x@ep-cool-sun-a1b2c3-pooler.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require");

        Assert.Equal(SslMode.Require, settings.SslMode);
        Assert.Equal(ChannelBinding.Require, settings.ChannelBinding);
        Assert.True(settings.NoResetOnClose);
        Assert.Equal(0, settings.MaxAutoPrepare);
    }

    [Theory]
    [InlineData("sslmode=verify-full", SslMode.VerifyFull)]
    [InlineData("sslmode=verify-ca", SslMode.VerifyCA)]
    [InlineData("sslmode=disable", SslMode.Disable)]
    [InlineData("SSLMODE=prefer", SslMode.Prefer)]
    [InlineData("sslmode=allow", SslMode.Allow)]
    public void Ssl_modes_are_libpqs(string query, SslMode mode) =>
        Assert.Equal(mode, DatabaseUrl.Parse($"postgres://u:p@h/db?{query}").SslMode);

    [Fact]
    public void Parameters_of_libpq_are_translated_and_those_of_other_drivers_ignored()
    {
        var settings = DatabaseUrl.Parse(
            "postgres://u:p@h/db?connect_timeout=7&application_name=a%20b&options=-c%20geqo%3Doff&target_session_attrs=read-write&pgbouncer=true&schema=public");

        Assert.Equal((7, "a b", "-c geqo=off", "read-write"), (settings.Timeout, settings.ApplicationName, settings.Options, settings.TargetSessionAttributes));
    }

    [Fact]
    public void The_defaults_for_an_address_allow_for_a_suspended_server()
    {
        var settings = DatabaseUrl.Parse("postgres://u:p@h/db");

        Assert.Equal((5, 10, 30, 60), (settings.Timeout, settings.CommandTimeout, settings.MaxPoolSize, settings.ConnectionIdleLifetime));
        Assert.Equal(7, DatabaseUrl.Parse("Host=h;Maximum Pool Size=7").MaxPoolSize);
    }

    [Theory]
    [InlineData("mysql://u:hunter2@h/db")]
    [InlineData("https://u:hunter2@h/db")]
    [InlineData("postgresql+psycopg://u:hunter2@h/db")]
    [InlineData("postgres://u:hunter2@h:port/db")]
    [InlineData("postgres://u:hunter2@h:0/db")]
    [InlineData("postgres://u:hunter2@h:70000/db")]
    [InlineData("postgres://u:hunter2@/db")]
    [InlineData("postgres://u:hunter2@h/db?sslmode=hunter2")]
    [InlineData("postgres://u:hunter2@h/db?connect_timeout=hunter2")]
    [InlineData("postgres://u:hunter2%00@h/db")]
    [InlineData("postgres://u:hunter2%@h/db")]
    [InlineData("postgres://u:hunter2%4@h/db")]
    [InlineData("postgres://u:hunter2%zz@h/db")]
    [InlineData("postgres://u%:hunter2@h/db")]
    [InlineData("postgres://u:hunter2@h%/db")]
    [InlineData("postgres://u:hunter2@h/db%")]
    [InlineData("postgres://u:hunter2@h/db?application_name=100%")]
    [InlineData("hunter2")]
    [InlineData("Host=h;Bogus=hunter2")]
    [InlineData("Username=u;Password=hunter2")]
    [InlineData("")]
    public void The_error_for_an_unreadable_address_does_not_repeat_it(string url)
    {
        var error = Assert.Throws<FormatException>(() => DatabaseUrl.Parse(url));

        Assert.DoesNotContain("hunter2", error.ToString());
    }

    [Fact]
    public void A_stray_percent_sign_is_named_with_its_part() =>
        Assert.Contains("password holds a %", Assert.Throws<FormatException>(() => DatabaseUrl.Parse("postgres://u:50%off@h/db")).Message);
}
