namespace ChatBackend.Features.Ingest.Progress;

/// <summary>The report of a job that runs in this process.</summary>
/// <param name="before">The last report of an earlier attempt, whose ingested documents are unchanged now.</param>
internal sealed class JobProgress(IngestReport before)
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _ingested = new(StringComparer.Ordinal);
    private readonly List<FailedDocument> _failed = [];
    private readonly List<FailedDocument> _warnings = [.. before.Warnings];
    private readonly List<string> _waits = [];
    private IngestReport _report = IngestReport.Empty with
    {
        Documents = before.Documents,
        Ingested = before.Ingested,
        Passages = before.Passages,
        Embedded = before.Embedded,
        Skipped = before.Skipped,
    };

    /// <summary>Documents that this attempt has ingested.</summary>
    public int Ingested
    {
        get
        {
            lock (_lock)
                return _ingested.Count;
        }
    }

    public IngestReport Report
    {
        get
        {
            lock (_lock)
            {
                // Documents that an earlier attempt ingested were found unchanged by this one.
                var again = Math.Min(_report.Ingested - _ingested.Count, _report.Unchanged);
                return _report with { Unchanged = _report.Unchanged - again, Failed = [.. _failed], Warnings = [.. _warnings], WaitsFor = _waits.LastOrDefault() };
            }
        }
    }

    public void AddIngested(string path, int passages) => Change(report =>
    {
        _ingested.Add(path);
        return report with { Done = report.Done + 1, Ingested = report.Ingested + 1, Passages = report.Passages + passages };
    });

    public void AddEmbedded(int passages) => Change(report => report with { Embedded = report.Embedded + passages });

    public void AddUnchanged() => Change(report => report with { Done = report.Done + 1, Unchanged = report.Unchanged + 1 });

    public void AddDraft() => Change(report => report with { Done = report.Done + 1, Drafts = report.Drafts + 1 });

    public void AddFailed(string path, string reason) => Change(report =>
    {
        if (_failed.Count < IngestReport.MaxNamed)
            _failed.Add(new(path, reason));
        return report with { Done = report.Done + 1, FailedCount = report.FailedCount + 1 };
    });

    public void AddWarning(string path, string text)
    {
        lock (_lock)
        {
            // An earlier attempt may have cut the document and ended before it was ingested.
            if (_warnings.Count < IngestReport.MaxNamed && !_warnings.Contains(new(path, text)))
                _warnings.Add(new(path, text));
        }
    }

    public void AddPlanned() => Change(report => report with { Done = report.Done + 1 });

    public void SetPlan(IngestPlan plan) => Change(report => report with { Plan = plan });

    public void SetNotice(string notice) => Change(report => report with { Notice = notice });

    public void SetRemoved(int documents) => Change(report => report with { Removed = documents });

    /// <summary>Shows what the job waits for until the result is disposed of.</summary>
    public IDisposable WaitsFor(string what)
    {
        lock (_lock)
            _waits.Add(what);
        return new Wait(this, what);
    }

    private void Change(Func<IngestReport, IngestReport> change)
    {
        lock (_lock)
            _report = change(_report);
    }

    private sealed class Wait(JobProgress progress, string what) : IDisposable
    {
        public void Dispose()
        {
            lock (progress._lock)
                progress._waits.Remove(what);
        }
    }
}
