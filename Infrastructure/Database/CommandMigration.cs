using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>The migration before a command uses the database, on which no service may have run yet.</summary>
internal static class CommandMigration
{
    /// <summary>Includes the wait for another process that migrates.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <param name="say">Takes what is being done, when it changes.</param>
    /// <exception cref="TimeoutException">Another process has been migrating for long.</exception>
    /// <exception cref="NpgsqlException">The database cannot be used.</exception>
    public static async Task RunAsync(IServiceProvider services, Action<string> say, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Longest);
        var last = "";
        try
        {
            await services.GetRequiredService<Migrator>().UpAsync(services.GetRequiredService<NpgsqlConnectionStringBuilder>(), state =>
            {
                if (state != last)
                    say(last = state);
            }, patience.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{last} for {Longest.TotalMinutes} minutes; try again later.", exception);
        }
    }
}
