using System.Diagnostics;

namespace ChatBackend.Tests;

/// <summary>Waits for a condition. Tests use it instead of sleeping.</summary>
internal static class Until
{
    /// <summary>Returns once the condition is true; fails with the message after the time limit (30 s).</summary>
    public static Task TrueAsync(Func<Task<bool>> condition, string otherwise, TimeSpan? within = null) => TrueAsync(condition, () => otherwise, within);

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, string, TimeSpan?)"/>
    /// <param name="otherwise">Called after the time limit, so that it can say what the state is then.</param>
    public static async Task TrueAsync(Func<Task<bool>> condition, Func<string> otherwise, TimeSpan? within = null)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > (within ?? TimeSpan.FromSeconds(30)))
                Assert.Fail(otherwise());
            await Task.Delay(10);
        }
    }

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, string, TimeSpan?)"/>
    public static Task TrueAsync(Func<bool> condition, string otherwise, TimeSpan? within = null) =>
        TrueAsync(() => Task.FromResult(condition()), otherwise, within);
}
