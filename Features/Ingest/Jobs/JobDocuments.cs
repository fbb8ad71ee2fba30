using System.Runtime.CompilerServices;
using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>Reads the documents of a job, a few at a time.</summary>
internal static class JobDocuments
{
    /// <summary>About as many bytes are read at a time.</summary>
    private const int BatchBytes = 1024 * 1024;

    /// <summary>The paths of all documents, in the order of the upload.</summary>
    public static Task<IReadOnlyList<JobDocument>> ListAsync(NpgsqlDataSource database, Guid jobId, CancellationToken cancellationToken) => database.RetryAsync(
        async connection => (IReadOnlyList<JobDocument>)(await connection.QueryAsync<JobDocument>(new(
            "select position, path, octet_length(content) as bytes from ingest_job_documents where job_id = @jobId order by position",
            new { jobId }, cancellationToken: cancellationToken))).AsList(),
        cancellationToken);

    public static async IAsyncEnumerable<UploadedDocument> ReadAsync(
        NpgsqlDataSource database, Guid jobId, IReadOnlyList<JobDocument> documents, Patience patience, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var next = 0; next < documents.Count;)
        {
            var first = next;
            for (long bytes = 0; next < documents.Count && (next == first || bytes + documents[next].Bytes <= BatchBytes); next++)
                bytes += documents[next].Bytes;

            var batch = await patience.RunAsync("the database", token => ReadAsync(database, jobId, documents[first].Position, documents[next - 1].Position, token), cancellationToken);
            foreach (var document in batch)
                yield return document;
        }
    }

    private static Task<List<UploadedDocument>> ReadAsync(NpgsqlDataSource database, Guid jobId, int first, int last, CancellationToken cancellationToken) => database.RetryAsync(
        async connection => (await connection.QueryAsync<UploadedDocument>(new(
            """
            select path, content, title, url, problem, on_site::text as on_site
            from ingest_job_documents
            where job_id = @jobId and position between @first and @last
            order by position
            """,
            new { jobId, first, last }, cancellationToken: cancellationToken))).AsList(),
        cancellationToken);
}

internal sealed record JobDocument(int Position, string Path, int Bytes);
