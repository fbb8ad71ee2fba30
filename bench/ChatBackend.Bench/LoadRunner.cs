using System.Diagnostics;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Bench;

/// <summary>Runs a scenario with all its clients at once.</summary>
internal sealed class LoadRunner(HttpClient client, BenchOptions options)
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    public BenchOptions Options => options;

    /// <summary>Runs a statement on the service's database, however long it takes.</summary>
    public async Task ExecuteAsync(string sql, object? parameters = null)
    {
        await using var connection = await OpenAsync();
        await connection.ExecuteAsync(sql, parameters, commandTimeout: 0);
    }

    /// <summary>One value from the service's database.</summary>
    public async Task<long> CountAsync(string sql)
    {
        await using var connection = await OpenAsync();
        return await connection.ExecuteScalarAsync<long>(sql);
    }

    public async Task<Result> RunAsync(IScenario scenario)
    {
        await SendAsync(scenario, WarmUp);
        return await SendAsync(scenario, TimeSpan.FromSeconds(options.Seconds));
    }

    private async Task<Result> SendAsync(IScenario scenario, TimeSpan time)
    {
        var started = Stopwatch.GetTimestamp();
        var clients = await Task.WhenAll(Enumerable.Range(0, options.Clients).Select(i => Task.Run(async () =>
        {
            // The same requests in every run.
            var random = new Random(i);
            var times = new List<double>();
            var errors = 0;
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                var sent = Stopwatch.GetTimestamp();
                try
                {
                    if (await scenario.RequestAsync(client, random, CancellationToken.None))
                        times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                    else
                        errors++;
                }
                catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
                {
                    errors++;
                }
            }

            return (times, errors);
        })));
        return new([.. clients.SelectMany(c => c.times).Order()], clients.Sum(c => c.errors), Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(DatabaseUrl.Parse(options.Database).ConnectionString);
        await connection.OpenAsync();
        return connection;
    }
}
