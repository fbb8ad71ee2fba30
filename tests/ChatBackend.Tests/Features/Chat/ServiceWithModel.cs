using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>A database and a stub model, and the built program on them, in as many processes as a test starts.</summary>
internal sealed class ServiceWithModel : IAsyncDisposable
{
    public string Database { get; private init; } = "";

    public required StubOpenAi Model { get; init; }

    public static async Task<ServiceWithModel> CreateAsync() =>
        new() { Database = await PostgresServer.CreateDatabaseAsync(), Model = await StubOpenAi.StartAsync() };

    /// <summary>Starts one more process.</summary>
    public ServiceProcess Start(params (string Name, string Value)[] settings)
    {
        var all = settings.ToDictionary(s => s.Name, s => s.Value);
        all["ASPNETCORE_ENVIRONMENT"] = "Production";
        all.TryAdd("DATABASE_URL", Database);
        // As in ChatApp.
        all.TryAdd("ModelLimits__Gap", "00:05:00");
        all.TryAdd("MODEL_TIMEOUT_SECONDS", "600");
        all["OPENAI_BASE_URL"] = Model.BaseUrl;
        return ServiceProcess.Start(all);
    }

    public async Task<T?> ScalarAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = new NpgsqlConnection(Database);
        return await connection.ExecuteScalarAsync<T>(sql, parameters);
    }

    public async ValueTask DisposeAsync()
    {
        await Model.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(Database);
    }
}
