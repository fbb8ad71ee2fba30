using System.Net.Sockets;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>Classifies exceptions of the database.</summary>
internal static class DatabaseFault
{
    /// <summary>True when the database is unavailable for now: unreachable, starting, out of connections, read-only, or slower than a time limit.</summary>
    public static bool IsDatabaseUnavailable(this Exception exception) => exception switch
    {
        PostgresException { IsTransient: true } => true,
        // The classes (PostgreSQL manual, appendix A): connection, insufficient resources, operator intervention. PgBouncer
        // reports its own failures as 08P01.
        PostgresException { SqlState: var state } => state is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.QueryCanceled
            || state[..2] is "08" or "53" || state.StartsWith("57P", StringComparison.Ordinal),
        NpgsqlException => true,
        // Npgsql does not wrap the exceptions of a DNS lookup.
        SocketException or TimeoutException => true,
        _ => false,
    };

    /// <summary>True when the server takes no writes: a standby, or a primary that was made read-only.</summary>
    public static bool IsReadOnly(this Exception exception) => exception is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction };
}
