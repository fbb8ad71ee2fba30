using System.Runtime.InteropServices;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Handles SIGTERM and Ctrl-C. The host's own handler listens only once the host has started; this one also stops a start cleanly.</summary>
internal sealed class StopSignals : IHostLifetime, IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private ILogger? _log;
    private PosixSignal? _signal;
    private int _isLogged;

    public StopSignals() =>
        _registrations = [.. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT }.Select(s => PosixSignalRegistration.Create(s, Stop))];

    public CancellationToken Token => _source.Token;

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
        // Otherwise the runtime ends the process at once.
        context.Cancel = true;
        _signal ??= context.Signal;
        // Logged before the token is cancelled: the process may exit before this method returns.
        Log();
        _source.Cancel();
    }

    private void Log()
    {
        if (_log is { } log && _signal is { } signal && Interlocked.Exchange(ref _isLogged, 1) == 0)
            log.LogInformation("Stopping on {Signal}", signal.ToString());
    }
}
