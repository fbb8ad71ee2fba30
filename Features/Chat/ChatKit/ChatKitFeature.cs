using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;

namespace ChatBackend.Features.Chat.ChatKit;

internal static class ChatKitFeature
{
    public static void AddChatKit(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidator<ChatKitRequest>, ChatKitRequestValidator>();
        builder.Services.AddSingleton<ChatKitEvents>();
        builder.Services.AddSingleton<ChatKitQuestions>();
        builder.Services.AddSingleton<ChatKitStore>();
    }

    public static void MapChatKit(this IEndpointRouteBuilder routes) => routes.MapFeature("/chatkit", "ChatKit").AcceptToken().MapPostChatKit();
}
