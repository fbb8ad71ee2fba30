using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Features.Ingest.Uploads;
using ChatBackend.Infrastructure.Docusaurus;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace ChatBackend.Tests.Features.Ingest;

/// <summary>Ingests a folder into a running service.</summary>
internal static class IngestCalls
{
    /// <summary>The report of the job, which must complete.</summary>
    public static async Task<IngestReport> IngestAsync(this ChatBackendApp app, string folder, bool prune = false)
    {
        _ = app.Client;
        await using var upload = await JobUpload.OpenAsync(app.Services.GetRequiredService<NpgsqlDataSource>(), isChecked: false, TestContext.Current.CancellationToken);
        await upload.AddFolderAsync(folder, BookFolder.Find(folder), TestContext.Current.CancellationToken);
        await upload.EnqueueAsync(prune, plan: false, TestContext.Current.CancellationToken);
        app.Services.GetRequiredService<JobLoop>().Nudge();
        var job = await app.Services.GetRequiredService<JobStatus>().WaitAsync(upload.Id, TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.True(job?.State == "completed", $"{job?.State}: {job?.Error}");
        return job!.Report;
    }
}
