using ChatBackend.Infrastructure.Database;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Configuration;

internal static class ExitCode
{
    /// <summary>Runs the program. What an operator can correct is one message on standard error and exit code 1; anything else is thrown.</summary>
    /// <param name="ifStopped">The exit code when the program is stopped before it has finished.</param>
    public static async Task<int> OfAsync(Func<Task<int>> run, int ifStopped, CancellationToken stopped)
    {
        try
        {
            return await run();
        }
        catch (OperationCanceledException) when (stopped.IsCancellationRequested)
        {
            return ifStopped;
        }
        catch (Exception e) when (e is SettingsException or LocalPostgresException or OptionsValidationException or IOException { InnerException: AddressInUseException })
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }
}
