using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Features.Ingest.Uploads;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Health;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;

namespace ChatBackend.Features.Ingest;

internal static class IngestFeature
{
    public static void AddIngest(this WebApplicationBuilder builder)
    {
        builder.BindOptions<IngestOptions>("Ingest");
        builder.BindOptions<PatienceOptions>();
        builder.Services.AddSingleton<IValidator<IngestRequest>, IngestRequestValidator>();
        builder.Services.AddSingleton<IValidator<IngestQuery>, IngestQueryValidator>();
        builder.Services.AddSingleton<IValidator<ListIngestDocumentsRequest>, ListIngestDocumentsRequestValidator>();
        builder.Services.AddSingleton<MarkdownChunker>();
        builder.Services.AddSingleton<BookIngest>();
        builder.Services.AddSingleton<JobRunner>();
        builder.Services.AddSingleton<JobStatus>();
        builder.Services.AddSingleton<JobPause>();
        builder.Services.AddSingleton<JobLoop>();
        builder.Services.AddHostedService(services => services.GetRequiredService<JobLoop>());

        var byDefault = builder.Environment.IsDevelopment() ? "on" : "off";
        if ((builder.Configuration["SAMPLE_BOOK"] ?? byDefault) != "on")
            return;
        builder.Services.PostConfigure<SiteOptions>(site =>
        {
            site.BookTitle ??= IngestSampleBook.FindTitle(builder.Environment);
            site.BookQuestions ??= IngestSampleBook.Questions;
        });
        builder.Services.AddSingleton<IngestSampleBook>();
        builder.Services.AddHostedService(services => services.GetRequiredService<IngestSampleBook>());
        builder.Services.AddSingleton(services =>
        {
            var book = services.GetRequiredService<IngestSampleBook>();
            return new Dependency("sample_book", IsRequired: false, _ => book.IsIngested ? Task.FromResult("ingested") : throw new NotReadyException(book.State))
            {
                Started = book.Tried,
            };
        });
    }

    public static void MapIngest(this IEndpointRouteBuilder routes)
    {
        var ingest = routes.MapFeature("/ingest", "Ingest").RequireIngestKey();

        ingest.MapPostIngest();
        ingest.MapListIngestJobs();
        ingest.MapGetIngestJob();
        ingest.MapGetIngestJobEvents();
        ingest.MapCancelIngestJob();
        ingest.MapListIngestDocuments();
        ingest.MapDeleteIngestDocument();
    }
}
