using System.Threading.Channels;

namespace ChatBackend.Infrastructure.Database;

/// <summary>Runs work at start, and when something calls for it, at most once an hour. It has no timer, so a database that suspends when idle can
/// do so.</summary>
internal sealed class HourlyWork(DatabaseStart databaseStart, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromHours(1);

    private readonly Channel<bool> _calls = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Call() => _calls.Writer.TryWrite(true);

    /// <param name="failed">Is given what went wrong. The next call tries again: the host would stop the whole service at an exception.</param>
    /// <returns>Only by an <see cref="OperationCanceledException"/>, when the service stops.</returns>
    public async Task RunAsync(Func<CancellationToken, Task> work, Action<Exception> failed, CancellationToken stoppingToken)
    {
        await databaseStart.WaitAsync(stoppingToken);
        while (true)
        {
            try
            {
                await work(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                failed(e);
            }

            var ended = time.GetTimestamp();
            do
                await _calls.Reader.ReadAsync(stoppingToken);
            while (time.GetElapsedTime(ended) < Pause);
        }
    }
}
