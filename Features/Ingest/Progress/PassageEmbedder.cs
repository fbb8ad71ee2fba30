using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Ingest.Progress;

/// <summary>
/// Embeds the passages of a job. Slowness is no failure: a call has a minute, batches become smaller when a call is slow and larger
/// while calls are quick, and an outage is waited out. Readers have other limits (<see cref="IEmbedder.EmbedAsync"/>).
/// A server without embeddings is asked once: a passage is found by its words without them.
/// </summary>
internal sealed class PassageEmbedder(IEmbedder embedder, Patience patience, JobProgress progress, TimeProvider time) : IDisposable
{
    /// <summary>The most texts in a call. Gemini takes 100, others more.</summary>
    public const int MaxTexts = 96;

    /// <summary>Well below the API's limit of 300,000 for a call, as the tokens are estimated.</summary>
    private const int MaxTokens = 60_000;

    private const int FirstTexts = 16;

    private const int CallsInFlight = 4;

    private const string Waiting = "the embedding model";

    /// <summary>A text that no model refuses: if this one is refused too, the server does not embed.</summary>
    private const string Plain = "text";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestLimit = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(15);

    private readonly SemaphoreSlim _calls = new(CallsInFlight, CallsInFlight);
    private readonly Lock _lock = new();
    private int _texts = FirstTexts;
    private Task<bool>? _asking;
    private volatile bool _isAbsent;

    /// <returns>The vector of each text, or why the model refused it; neither if the server does not embed.</returns>
    /// <exception cref="ModelException">The model is unavailable for longer than a job waits, or a setting is wrong.</exception>
    public async Task<IReadOnlyList<(ReadOnlyMemory<float> Vector, string? Refusal)>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        var results = new (ReadOnlyMemory<float>, string?)[texts.Count];
        var calls = new List<Task>();
        try
        {
            for (var start = 0; start < texts.Count && !_isAbsent && !calls.Exists(call => call.IsFaulted);)
            {
                // The size of a batch follows from the calls before it.
                await _calls.WaitAsync(cancellationToken);
                var end = EndOfBatch(texts, start);
                calls.Add(EmbedAndReleaseAsync(texts, results, start, end, cancellationToken));
                start = end;
            }
        }
        finally
        {
            await Task.WhenAll(calls);
        }

        return results;
    }

    public void Dispose() => _calls.Dispose();

    private int EndOfBatch(IReadOnlyList<string> texts, int start)
    {
        int most;
        lock (_lock)
            most = _texts;
        var end = start;
        for (var tokens = 0; end < texts.Count && end - start < most && (end == start || tokens + TokenEstimate.Of(texts[end]) <= MaxTokens); end++)
            tokens += TokenEstimate.Of(texts[end]);
        return end;
    }

    private async Task EmbedAndReleaseAsync(
        IReadOnlyList<string> texts, (ReadOnlyMemory<float>, string?)[] results, int start, int end, CancellationToken cancellationToken)
    {
        try
        {
            await EmbedAsync(texts, results, start, end, Limit, cancellationToken);
        }
        finally
        {
            _calls.Release();
        }
    }

    private async Task EmbedAsync(
        IReadOnlyList<string> texts, (ReadOnlyMemory<float>, string?)[] results, int start, int end, TimeSpan limit, CancellationToken cancellationToken)
    {
        string[] batch = [.. texts.Skip(start).Take(end - start)];
        try
        {
            var vectors = await patience.RunAsync(Waiting, token => CallAsync(batch, limit, token), cancellationToken);
            for (var i = 0; i < batch.Length; i++)
                results[start + i] = (vectors[i], null);
            progress.AddEmbedded(batch.Length);
        }
        catch (ModelException e) when (e.Failure is ModelFailure.Timeout)
        {
            Resize(batch.Length / 2);
            if (batch.Length == 1 && limit >= LongestLimit)
                throw;
            await EmbedPartsAsync(texts, results, start, end, batch.Length == 1 ? limit * 2 : limit, cancellationToken);
        }
        catch (ModelException e) when (e.IsMissing)
        {
            SetAbsent(e);
        }
        catch (ModelException e) when (e is { IsTransient: false, IsSettings: false })
        {
            if (e.Failure is ModelFailure.Failed && await IsAbsentAsync(cancellationToken))
                return;
            // One text may be why the model refuses the others too.
            if (batch.Length == 1)
                results[start] = (default, e.Message);
            else
                await EmbedPartsAsync(texts, results, start, end, limit, cancellationToken);
        }
    }

    /// <summary>Whether the server refuses every text, which some servers without embeddings do with 400.</summary>
    private async Task<bool> IsAbsentAsync(CancellationToken cancellationToken)
    {
        Task<bool> asking;
        lock (_lock)
            asking = _asking ??= AskAsync();
        return await asking;

        async Task<bool> AskAsync()
        {
            try
            {
                await patience.RunAsync(Waiting, token => CallAsync([Plain], Limit, token), cancellationToken);
                return false;
            }
            catch (ModelException e) when (e is { Failure: ModelFailure.Failed, IsTransient: false })
            {
                SetAbsent(e);
                return true;
            }
        }
    }

    private void SetAbsent(ModelException why)
    {
        _isAbsent = true;
        progress.SetNotice($"{embedder.Model} does not embed: {why.Message} The pages are stored without vectors and found by their words alone; "
            + "an ingest after that is mended adds the vectors. Set OPENAI_EMBEDDING_MODEL to a model that the server has, or to off.");
    }

    private async Task EmbedPartsAsync(
        IReadOnlyList<string> texts, (ReadOnlyMemory<float>, string?)[] results, int start, int end, TimeSpan limit, CancellationToken cancellationToken)
    {
        var middle = start + ((end - start + 1) / 2);
        await EmbedAsync(texts, results, start, middle, limit, cancellationToken);
        if (middle < end)
            await EmbedAsync(texts, results, middle, end, limit, cancellationToken);
    }

    private async Task<IReadOnlyList<ReadOnlyMemory<float>>> CallAsync(string[] batch, TimeSpan limit, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var call = embedder.EmbedOnceAsync(batch, limit, cancellationToken);
        if (await Task.WhenAny(call, Task.Delay(Quick, time, cancellationToken)) != call)
        {
            using (progress.WaitsFor($"{Waiting}, which is slow"))
                await call;
        }

        var vectors = await call;
        var taken = time.GetElapsedTime(started);
        if (taken > Slow)
            Resize(batch.Length / 2);
        else if (taken < Quick)
            Resize(batch.Length * 2, isLarger: true);
        return vectors;
    }

    /// <summary>Calls end in any order: a small batch that was quick says nothing about a larger one.</summary>
    private void Resize(int texts, bool isLarger = false)
    {
        lock (_lock)
        {
            if (isLarger == texts > _texts)
                _texts = Math.Clamp(texts, 1, MaxTexts);
        }
    }
}
