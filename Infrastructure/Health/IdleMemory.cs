using System.Runtime.InteropServices;

namespace ChatBackend.Infrastructure.Health;

/// <summary>Gives memory back to the system once the service has become idle, after its start, an ingest or many questions. A heap without new objects is
/// never collected, so an idle process would keep its garbage, and hosts such as Railway bill for it.</summary>
internal sealed class IdleMemory(TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <summary>A service that allocates fewer bytes in a pause is idle: three questions take more.</summary>
    private const long Quiet = 1_000_000;

    /// <summary>For less garbage, a full collection (some 50 ms in which nothing else runs) is not worth it.</summary>
    private const long Worth = 32_000_000;

    /// <summary>glibc keeps what .NET's compiler has freed. Other C libraries have no such function.</summary>
    private static readonly MallocTrim? Trim = NativeLibrary.TryLoad("libc.so.6", out var library) && NativeLibrary.TryGetExport(library, "malloc_trim", out var function)
        ? Marshal.GetDelegateForFunctionPointer<MallocTrim>(function)
        : null;

    private delegate int MallocTrim(nuint kept);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Pause, time);
        long seen = 0, collected = 0;
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var allocated = GC.GetTotalAllocatedBytes();
            if (allocated - seen < Quiet && allocated - collected > Worth)
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
                Trim?.Invoke(kept: 0);
                collected = allocated;
            }

            seen = allocated;
        }
    }
}
