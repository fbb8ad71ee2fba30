using ChatBackend.Features.Translate.Caching;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Limits;
using FluentValidation;

namespace ChatBackend.Features.Translate;

internal static class TranslateFeature
{
    public static void AddTranslate(this WebApplicationBuilder builder)
    {
        builder.BindOptions<TranslationLimits>(nameof(TranslationLimits));
        builder.BindOptions<TranslationCacheOptions>("TranslationCache");
        builder.BindOptions<TranslateOptions>();
        builder.Services.AddSingleton<IValidator<TranslateRequest>, TranslateRequestValidator>();
        builder.Services.AddSingleton<DocumentTranslator>();
        builder.Services.AddSingleton<LanguageDetector>();
        builder.Services.AddSingleton<Glossaries>();
        builder.Services.AddSingleton<TranslationCache>();
        builder.Services.AddSingleton<CachedTranslator>();
        builder.Services.AddSingleton<BookText>();
        builder.Services.AddSingleton<PageTranslations>();
        builder.Services.AddHostedService<UnusedTranslations>();
    }

    public static void MapTranslate(this IEndpointRouteBuilder routes)
    {
        var translate = routes.MapFeature("/translate", "Translate").AcceptToken().RequireRateLimit(RateLimit.Translate);

        translate.MapPostTranslate();
    }
}
