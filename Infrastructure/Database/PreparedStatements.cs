using System.Runtime.CompilerServices;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>Opens connections on which a statement that runs often is parsed and planned once. A pooler that gives each transaction another
/// server connection may not carry that: then it is gone without.</summary>
internal sealed class PreparedStatements : IAsyncDisposable
{
    /// <summary>For each connection; more than there are statements that run often.</summary>
    private const int Most = 64;

    private static readonly ConditionalWeakTable<NpgsqlDataSource, PreparedStatements> All = [];

    private readonly NpgsqlConnectionStringBuilder _settings;
    private readonly NpgsqlDataSource _connections;
    private readonly ILogger<PreparedStatements> _log;
    private volatile Route _route = Route.Unknown;

    /// <param name="database">Its connections prepare nothing, unless the owner's connection string says so.</param>
    public PreparedStatements(NpgsqlDataSource database, NpgsqlConnectionStringBuilder settings, ILoggerFactory loggers)
    {
        _settings = settings;
        _log = loggers.CreateLogger<PreparedStatements>();
        _connections = new NpgsqlDataSourceBuilder(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { MaxAutoPrepare = Most }.ConnectionString)
            .UseLoggerFactory(loggers)
            .UsePhysicalConnectionInitializer(Check, CheckAsync)
            .Build();
        All.AddOrUpdate(database, this);
    }

    private enum Route
    {
        Unknown,

        /// <summary>No pooler is between.</summary>
        Direct,

        /// <summary>A pooler or a proxy is between, and a statement that was prepared is found again.</summary>
        Carried,

        NotCarried,
    }

    public bool AreUsed => _route is Route.Direct or Route.Carried;

    /// <summary>A connection from <paramref name="database"/>, or one to the same server that prepares statements.</summary>
    public static async ValueTask<NpgsqlConnection> OpenAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        if (All.TryGetValue(database, out var statements) && statements.AreUsed)
        {
            try
            {
                return await statements._connections.OpenConnectionAsync(cancellationToken);
            }
            catch (RouteChangedException)
            {
                statements.GoWithout("a pooler is between the service and PostgreSQL now");
            }
        }

        return await database.OpenConnectionAsync(cancellationToken);
    }

    /// <summary>Closes the idle connections of both kinds.</summary>
    public static void Clear(NpgsqlDataSource database)
    {
        database.Clear();
        if (All.TryGetValue(database, out var statements))
            statements._connections.Clear();
    }

    /// <summary>Goes without them if a statement failed because the server connection did not have it, or had another one of its name.</summary>
    public static void Note(NpgsqlDataSource database, Exception exception)
    {
        if (exception.IsPreparedStatementLost() && All.TryGetValue(database, out var statements))
            statements.GoWithout("a statement that was prepared is not there any more");
    }

    /// <summary>Finds out whether the way to the server carries prepared statements. Until then the service goes without them.</summary>
    /// <exception cref="NpgsqlException">The database cannot be used.</exception>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        // The owner has decided. ContainsKey is true for every keyword that Npgsql knows.
        var given = _settings.Keys;
        if (given.Contains("Max Auto Prepare"))
            return;
        _route = await StatementProbe.IsDirectAsync(_settings, cancellationToken) ? Route.Direct
            : await StatementProbe.IsCarriedAsync(_settings, cancellationToken) ? Route.Carried : Route.NotCarried;
        if (_route == Route.NotCarried)
            _log.LogInformation("The pooler before PostgreSQL does not carry prepared statements: each statement is planned when it runs");
    }

    public ValueTask DisposeAsync() => _connections.DisposeAsync();

    private void GoWithout(string reason)
    {
        if (_route == Route.NotCarried)
            return;
        _route = Route.NotCarried;
        _connections.Clear();
        _log.LogWarning("Statements are not prepared any more: {Reason}", reason);
    }

    /// <summary>A service that began without a pooler may get one: the names of its statements would be those of other clients.</summary>
    private async Task CheckAsync(NpgsqlConnection connection)
    {
        if (_route == Route.Direct && !await StatementProbe.IsDirectAsync(connection, CancellationToken.None))
            throw new RouteChangedException();
    }

    private void Check(NpgsqlConnection connection) => CheckAsync(connection).GetAwaiter().GetResult();

    private sealed class RouteChangedException : Exception;
}
