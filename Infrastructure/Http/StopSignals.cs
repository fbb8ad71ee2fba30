using System.Runtime.InteropServices;

namespace ChatBackend.Infrastructure.Http;

/// <summary>
/// SIGTERM and Ctrl-C, in place of the host's own handler, which listens only once the host starts: a stop during the start
/// is as clean as a later one.
/// </summary>
internal sealed class StopSignals : IHostLifetime, IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private ILogger? _log;
    private PosixSignal? _signal;
    private int _isLogged;

    public StopSignals() =>
        _registrations = [.. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT }.Select(s => PosixSignalRegistration.Create(s, Stop))];

    /// <summary>Is cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>The log that is told, once, which signal stops the process.</summary>
    public void LogTo(ILogger log)
    {
        _log = log;
        Log();
    }

    Task IHostLifetime.WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostLifetime.StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        // The process ends by itself, not by the signal.
        context.Cancel = true;
        _signal ??= context.Signal;
        // Before the token is cancelled: the process may end sooner than this method.
        Log();
        _source.Cancel();
    }

    private void Log()
    {
        if (_log is { } log && _signal is { } signal && Interlocked.Exchange(ref _isLogged, 1) == 0)
            log.LogInformation("Stopping on {Signal}", signal.ToString());
    }
}
