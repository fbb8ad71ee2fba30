using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>Stores the documents of an upload as they arrive, and then puts their job into the queue. Disposal without that removes them.</summary>
internal sealed class JobUpload : IAsyncDisposable
{
    public const int MaxDocuments = 20_000;

    /// <summary>The text of all documents together, in UTF-16 code units.</summary>
    public const int MaxCharacters = 100 * 1024 * 1024;

    /// <summary>"ingestjo" in ASCII: the key of the advisory lock under which jobs enter the queue.</summary>
    private const long QueueLock = 0x696E676573746A6F;

    /// <summary>About as many characters are sent to the database at a time.</summary>
    private const int BatchCharacters = 512 * 1024;

    private const int BatchDocuments = 200;

    /// <summary>An upload that sends nothing for this long is given up.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    private readonly NpgsqlDataSource _database;
    private readonly HashSet<string> _paths = new(StringComparer.Ordinal);
    private readonly List<UploadedDocument> _batch = [];
    private readonly List<FailedDocument> _skipped = [];
    private long _characters;
    private int _batchCharacters;
    private bool _isQueued;

    private JobUpload(NpgsqlDataSource database) => _database = database;

    public Guid Id { get; } = Guid.CreateVersion7();

    /// <summary>Documents so far.</summary>
    public int Count => _paths.Count;

    /// <summary>Documents so far that are not <c>_category_</c> files.</summary>
    public int Pages { get; private set; }

    /// <summary>What is not ingested, in the order of the upload.</summary>
    public IReadOnlyList<FailedDocument> Skipped => _skipped;

    /// <summary>Decides which of the documents that are added from now on the site publishes, and where; null for all, by Docusaurus' rules.</summary>
    public PublishedPages? Published { get; set; }

    /// <param name="isChecked">Whether to refuse the upload now if too many jobs wait, and not only when all of it was read.</param>
    /// <exception cref="UploadException">Too many jobs wait.</exception>
    public static async Task<JobUpload> OpenAsync(NpgsqlDataSource database, bool isChecked, CancellationToken cancellationToken)
    {
        var upload = new JobUpload(database);
        // Uploads whose process died are removed here, and jobs that ended long ago.
        var opened = await database.RetryAsync(
            connection => connection.ExecuteScalarAsync<bool>(new(
                """
                with gone as (
                    delete from ingest_jobs
                    where (state = 'receiving' and lease_until < now()) or ended_at < now() - interval '30 days'
                ),
                opened as (
                    insert into ingest_jobs (id, prune, plan, report, lease_until)
                    select @Id, false, false, @report::jsonb, now() + @Lease
                    where not @isChecked or (select count(*) from ingest_jobs where state = 'waiting') < @MaxWaiting
                    on conflict (id) do nothing
                    returning id
                )
                select exists (select from opened) or exists (select from ingest_jobs where id = @Id)
                """,
                new { upload.Id, isChecked, Lease, IngestOptions.MaxWaiting, report = IngestJson.Write(IngestReport.Empty) },
                cancellationToken: cancellationToken)),
            cancellationToken);
        return opened ? upload : throw QueueFull();
    }

    /// <param name="document">Its path is normal (<see cref="UploadedDocument.NormalPath"/>).</param>
    /// <exception cref="UploadException">The path is there twice, or the upload is too large.</exception>
    public async Task AddAsync(UploadedDocument document, CancellationToken cancellationToken)
    {
        if (_paths.Contains(document.Path))
            throw new UploadException("duplicate_path", $"{UploadedDocument.Shown(document.Path)} is in the upload twice.");
        if (document.Problem is null && Published?.Find(document.Path, document.Content, document.Url) is { } page)
        {
            if (page.LeftOut is { } reason)
            {
                Skip(document.Path, reason);
                return;
            }

            document = document with { Url = document.Url ?? page.Url, OnSite = page.OnSite is null ? null : IngestJson.Write(page.OnSite) };
        }

        _paths.Add(document.Path);
        Pages += CategoryFile.Is(document.Path) ? 0 : 1;
        if (_paths.Count > MaxDocuments)
            throw TooManyDocuments();
        _characters += document.Content.Length;
        if (_characters > MaxCharacters)
            throw new UploadException("upload_too_large", $"The documents have more than {MaxCharacters / 1024 / 1024} MB of text in all.", StatusCodes.Status413PayloadTooLarge);

        _batch.Add(document.Storable());
        _batchCharacters += document.Content.Length;
        if (_batchCharacters >= BatchCharacters || _batch.Count >= BatchDocuments)
            await FlushAsync(cancellationToken);
    }

    /// <summary>A file that is named like a document but is none, or that the site does not publish; the job's report lists it.</summary>
    public void Skip(string path, string reason) => _skipped.Add(new(path, reason));

    /// <summary>Puts the job into the queue. An upload of the whole book takes the place of those that wait before it, except plans.</summary>
    /// <param name="prune">The upload is the whole book.</param>
    /// <param name="plan">A dry run.</param>
    /// <exception cref="UploadException">Too many jobs wait.</exception>
    public async Task EnqueueAsync(bool prune, bool plan, CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken);
        var report = IngestJson.Write(IngestReport.Empty with { Documents = Count });
        var skipped = IngestJson.Write(_skipped.Take(IngestReport.MaxNamed));
        // The lock makes jobs enter one after another. The second statement sees what was committed before the lock was taken.
        _isQueued = await _database.RetryAsync(
            async connection =>
            {
                await using var results = await connection.QueryMultipleAsync(new(
                    """
                    select pg_advisory_xact_lock(@QueueLock) is null;

                    with superseded as (
                        update ingest_jobs
                        set state = 'superseded', superseded_by = @Id, ended_at = now()
                        where @prune and not @plan and state = 'waiting' and not plan
                          and exists (select from ingest_jobs where id = @Id and state = 'receiving')
                        returning id
                    ),
                    forgotten as (
                        delete from ingest_job_documents where job_id in (select id from superseded)
                    )
                    update ingest_jobs
                    set state = 'waiting', prune = @prune, plan = @plan, queued_at = clock_timestamp(), report = @report::jsonb, skipped = @skipped::jsonb, lease_until = null
                    where id = @Id and state = 'receiving'
                      and ((@prune and not @plan) or (select count(*) from ingest_jobs where state = 'waiting') < @MaxWaiting);

                    select exists (select from ingest_jobs where id = @Id and state <> 'receiving');
                    """,
                    new { Id, QueueLock, prune, plan, report, skipped, IngestOptions.MaxWaiting }, cancellationToken: cancellationToken));
                await results.ReadSingleAsync<bool>();
                return await results.ReadSingleAsync<bool>();
            },
            cancellationToken);
        if (!_isQueued)
            throw QueueFull();
    }

    public async ValueTask DisposeAsync()
    {
        if (_isQueued)
            return;
        try
        {
            // The client may be gone, and its token cancelled.
            await using var connection = await _database.OpenConnectionAsync(CancellationToken.None);
            await connection.ExecuteAsync(new("delete from ingest_jobs where id = @Id and state = 'receiving'", new { Id }, cancellationToken: CancellationToken.None));
        }
        catch (Exception e) when (e.IsDatabaseUnavailable())
        {
            // A later upload removes it when its lease has expired.
        }
    }

    public static UploadException TooManyDocuments() =>
        new("too_many_documents", $"The upload has more than {MaxDocuments:N0} documents.", StatusCodes.Status413PayloadTooLarge);

    private static UploadException QueueFull() => new(
        "ingest_queue_full", $"{IngestOptions.MaxWaiting} ingest jobs are waiting already. Try again when some of them have ended.", StatusCodes.Status429TooManyRequests);

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (_batch.Count == 0)
            return;
        var first = _paths.Count - _batch.Count;
        await _database.RetryAsync(
            connection => connection.ExecuteAsync(new(
                """
                with kept as (
                    update ingest_jobs set lease_until = now() + @Lease where id = @Id and state = 'receiving'
                )
                insert into ingest_job_documents (job_id, position, path, content, title, url, problem, on_site)
                select @Id, @first + d.number - 1, d.path, d.content, d.title, d.url, d.problem, d.on_site::json
                from unnest(@Paths, @Contents, @Titles, @Urls, @Problems, @OnSite) with ordinality as d (path, content, title, url, problem, on_site, number)
                on conflict (job_id, position) do nothing
                """,
                new
                {
                    Id,
                    Lease,
                    first,
                    Paths = _batch.Select(d => d.Path).ToArray(),
                    Contents = _batch.Select(d => d.Content).ToArray(),
                    Titles = _batch.Select(d => d.Title).ToArray(),
                    Urls = _batch.Select(d => d.Url).ToArray(),
                    Problems = _batch.Select(d => d.Problem).ToArray(),
                    OnSite = _batch.Select(d => d.OnSite).ToArray(),
                },
                cancellationToken: cancellationToken)),
            cancellationToken);
        _batch.Clear();
        _batchCharacters = 0;
    }
}
