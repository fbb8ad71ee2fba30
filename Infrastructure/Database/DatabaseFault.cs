using System.Net.Sockets;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

internal static class DatabaseFault
{
    /// <summary>True if the database is unavailable for now: unreachable, starting, out of connections, read-only or too slow.</summary>
    public static bool IsDatabaseUnavailable(this Exception exception) => exception switch
    {
        PostgresException { IsTransient: true } => true,
        // A prepared statement that is lost, or whose columns a migration has changed, is prepared again.
        PostgresException { SqlState: PostgresErrorCodes.FeatureNotSupported, Routine: "RevalidateCachedQuery" } => true,
        PostgresException when exception.IsPreparedStatementLost() => true,
        // The classes (PostgreSQL manual, appendix A) are connection, insufficient resources and operator intervention.
        // PgBouncer reports its own failures as 08P01.
        PostgresException { SqlState: var state } => state is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.QueryCanceled
            || state[..2] is "08" or "53" || state.StartsWith("57P", StringComparison.Ordinal),
        NpgsqlException => true,
        // Npgsql does not wrap the exceptions of a DNS lookup.
        SocketException or TimeoutException => true,
        _ => false,
    };

    /// <summary>True if a statement did not run because the server connection does not have it, or has another one of its name.</summary>
    public static bool IsPreparedStatementLost(this Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.InvalidSqlStatementName or PostgresErrorCodes.DuplicatePreparedStatement };

    /// <summary>True if the server accepts no writes: it is a standby, or a primary that was made read-only.</summary>
    public static bool IsReadOnly(this Exception exception) => exception is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction };
}
