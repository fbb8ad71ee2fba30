using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests;

/// <summary>Keeps the messages of a host from a level on.</summary>
internal sealed class CapturedLog(LogLevel least) : ILoggerProvider, ILogger
{
    public ConcurrentQueue<string> Messages { get; } = new();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
            Messages.Enqueue(formatter(state, exception));
    }

    public void Dispose()
    {
    }
}
