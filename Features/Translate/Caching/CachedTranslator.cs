using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Database;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Translate.Caching;

/// <summary>
/// <see cref="DocumentTranslator"/> with <see cref="TranslationCache"/>: what is stored is not translated again, and what somebody else translates
/// at this moment, here or on another replica, is waited for. A segment's <see cref="TranslationTask.Group"/> is the scope in which it is stored.
/// </summary>
internal sealed class CachedTranslator(
    DocumentTranslator translator, TranslationCache cache, IOptions<TranslationCacheOptions> options, TimeProvider time, ILogger<CachedTranslator> log)
{
    private readonly TranslationCacheOptions _options = options.Value;

    /// <summary>Raised after translations were stored, on the thread of the work: handlers must be quick.</summary>
    public event EventHandler? Stored;

    /// <summary>False if no model is configured.</summary>
    public bool IsAvailable => translator.IsAvailable;

    public string? Model => translator.Model;

    /// <summary>What is stored in one of these scopes, by <see cref="Segment.Index"/>. The first scope that has it counts.</summary>
    public async Task<IReadOnlyDictionary<int, (string Scope, string Text)>> FindAsync(
        TranslatableDocument document, TranslationTask task, IReadOnlyList<string> scopes, CancellationToken cancellationToken)
    {
        var keys = document.Segments.ToDictionary(segment => segment.Index, segment => TranslationCache.KeyOf(segment, task, translator.Model ?? ""));
        var found = await cache.FindAsync([.. from scope in scopes from key in keys.Values.Distinct() select new CacheSlot(scope, key)], cancellationToken);

        return (from segment in document.Segments
                let scope = scopes.FirstOrDefault(scope => found.ContainsKey(new(scope, keys[segment.Index])))
                where scope is not null
                select (segment.Index, (scope, found[new(scope, keys[segment.Index])]))).ToDictionary();
    }

    /// <summary>Translates a document. The outcomes come in the order of its segments.</summary>
    /// <param name="task">Its <see cref="TranslationTask.Known"/> are what <see cref="FindAsync"/> found.</param>
    /// <remarks>If the caller stops reading or cancels, the calls that have begun end and are stored, and no others begin; disposing waits for that.
    /// A failure of the model is the outcome of the segments that it concerns.</remarks>
    public async IAsyncEnumerable<SegmentTranslation> TranslateAsync(
        TranslatableDocument document, TranslationTask task, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = new CancellationTokenSource();
        var work = new Work(this, translator, cache, time, document, task with { NoMoreCalls = stop.Token, ToleratesFailures = true });
        var working = work.RunAsync(stop.Token);
        try
        {
            foreach (var segment in document.Segments)
                yield return await work.Outcomes[segment.Index].Task.WaitAsync(cancellationToken);
        }
        finally
        {
            await stop.CancelAsync();
            await working;
        }
    }

    private async Task StoreAsync(IReadOnlyDictionary<CacheSlot, string> translations)
    {
        await cache.StoreAsync(translations, CancellationToken.None);
        Stored?.Invoke(this, EventArgs.Empty);
    }

    private void LogWarning(string what, Exception exception) => log.LogWarning("{What}: {Reason}", what, exception.GetType().Name);

    /// <summary>The translation of one document for one caller.</summary>
    private sealed class Work(CachedTranslator parent, DocumentTranslator translator, TranslationCache cache, TimeProvider time, TranslatableDocument document, TranslationTask task)
    {
        private readonly TranslationCacheOptions _options = parent._options;
        private readonly Guid _owner = Guid.NewGuid();
        private readonly HashSet<CacheSlot> _claimed = [];
        private readonly ConcurrentBag<Task> _storing = [];

        private readonly CacheSlot[] _slots =
            [.. document.Segments.Select(segment => new CacheSlot(task.Group(segment), TranslationCache.KeyOf(segment, task, translator.Model ?? "")))];

        /// <summary>By <see cref="Segment.Index"/>.</summary>
        public TaskCompletionSource<SegmentTranslation>[] Outcomes { get; } =
            [.. document.Segments.Select(_ => new TaskCompletionSource<SegmentTranslation>(TaskCreationOptions.RunContinuationsAsynchronously))];

        /// <summary>Sets all outcomes. Ends when nothing is in flight any more; a failure is an outcome and is not thrown.</summary>
        public async Task RunAsync(CancellationToken stop)
        {
            var parts = new List<Task>();
            using var ended = new CancellationTokenSource();
            var renewing = RenewAsync(ended.Token);
            var waiting = document.Segments.Select(segment => segment.Index).Where(index => !task.Known.ContainsKey(index)).ToHashSet();
            try
            {
                if (task.Known.Count > 0)
                    parts.Add(TranslateAsync(task.Known));
                while (waiting.Count > 0)
                {
                    await TakeAsync(waiting, parts, stop);
                    if (waiting.Count > 0)
                        await Task.Delay(_options.Poll, time, stop);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // Nobody waits for the outcomes any more.
            }
            catch (Exception exception)
            {
                Fail(waiting, exception);
            }

            await Task.WhenAll(parts);
            await Task.WhenAll(_storing);
            await ended.CancelAsync();
            await renewing;
            await ReleaseAsync();
        }

        /// <summary>Starts on those of the waiting segments that are stored by now or that nobody else translates.</summary>
        private async Task TakeAsync(HashSet<int> waiting, List<Task> parts, CancellationToken stop)
        {
            var slots = waiting.Select(index => _slots[index]).Distinct().ToArray();
            var found = await cache.FindAsync(slots, stop);
            // Not cancelled: a claim of which nobody knows would only expire.
            var claimed = await cache.ClaimAsync([.. slots.Where(slot => !found.ContainsKey(slot))], _owner, _options.Lease, CancellationToken.None);
            lock (_claimed)
                _claimed.UnionWith(claimed);
            var known = waiting.Where(index => found.ContainsKey(_slots[index])).ToDictionary(index => index, index => found[_slots[index]]);
            var mine = waiting.Where(index => claimed.Contains(_slots[index])).ToArray();
            if (known.Count + mine.Length > 0)
                parts.Add(TranslateAsync(known, mine));
            waiting.ExceptWith([.. known.Keys, .. mine]);
        }

        /// <param name="known">Stored translations. One that does not fit into this document is translated again, and is not stored.</param>
        /// <param name="claimed">The segments that this work translates.</param>
        private async Task TranslateAsync(IReadOnlyDictionary<int, string> known, params int[] claimed)
        {
            var part = task with { Known = known, Only = new HashSet<int>([.. known.Keys, .. claimed]), Translated = StoreAsync };
            try
            {
                await foreach (var outcome in translator.TranslateAsync(document, part, CancellationToken.None))
                    Outcomes[outcome.Segment.Index].TrySetResult(outcome);
            }
            catch (Exception exception)
            {
                Fail(part.Only, exception);
            }
        }

        private async Task StoreAsync(IReadOnlyList<SegmentTranslation> translated)
        {
            var claimed = Claimed().ToHashSet();
            var mine = translated.Select(t => (Slot: _slots[t.Segment.Index], t.Text)).Where(t => claimed.Contains(t.Slot)).DistinctBy(t => t.Slot).ToDictionary(t => t.Slot, t => t.Text!);
            try
            {
                await StoreAsync(mine);
            }
            catch (Exception exception) when (exception.IsDatabaseUnavailable())
            {
                // The reader gets the translations now.
                _storing.Add(StoreLaterAsync(mine));
            }
        }

        private async Task StoreAsync(Dictionary<CacheSlot, string> translations)
        {
            await parent.StoreAsync(translations);
            lock (_claimed)
                _claimed.ExceptWith(translations.Keys);
        }

        /// <summary>They are paid for, so a database that is restarted, or busy for some seconds, does not cost them.</summary>
        private async Task StoreLaterAsync(Dictionary<CacheSlot, string> translations)
        {
            var started = time.GetTimestamp();
            while (true)
            {
                await Task.Delay(_options.Poll, time);
                try
                {
                    await StoreAsync(translations);
                    return;
                }
                catch (Exception exception) when (exception.IsDatabaseUnavailable())
                {
                    if (time.GetElapsedTime(started) < _options.StorePatience)
                        continue;

                    parent.LogWarning($"{translations.Count} translations could not be stored", exception);
                    return;
                }
            }
        }

        private async Task RenewAsync(CancellationToken ended)
        {
            try
            {
                while (true)
                {
                    await Task.Delay(_options.Renewal, time, ended);
                    try
                    {
                        await cache.RenewAsync(Claimed(), _owner, _options.Lease, ended);
                    }
                    catch (Exception exception) when (exception.IsDatabaseUnavailable())
                    {
                        // Without the claim, another may translate the same segments: it costs money and loses nothing.
                        parent.LogWarning("Claims of translations could not be renewed", exception);
                    }
                }
            }
            catch (OperationCanceledException) when (ended.IsCancellationRequested)
            {
                // The work has ended.
            }
        }

        private async Task ReleaseAsync()
        {
            try
            {
                await cache.ReleaseAsync(Claimed(), _owner, CancellationToken.None);
            }
            catch (Exception exception) when (exception.IsDatabaseUnavailable())
            {
                parent.LogWarning("Claims of translations could not be released and will expire", exception);
            }
        }

        private CacheSlot[] Claimed()
        {
            lock (_claimed)
                return [.. _claimed];
        }

        private void Fail(IEnumerable<int> segments, Exception exception)
        {
            foreach (var index in segments)
                Outcomes[index].TrySetException(exception);
        }
    }
}
